/** The models that the server has: those it loads at its start, and those of a catalog that are loaded when asked for. */
import { ApiError } from '../contract/errors.ts'
import type { ServedEngine } from '../contract/served-engine.ts'
import type { EngineWatch } from '../observe/engine-watch.ts'
import { type LoaderOptions, ModelLoader } from './loader.ts'
import type { Catalog, ModelSource } from './model-source.ts'
import { type Lease, ServedModel } from './served-model.ts'

export interface ModelsOptions extends LoaderOptions {
  /** Pinned, in the order of their loading: the first is what a request that names none means. */
  readonly pinned?: readonly ModelSource[]
  readonly catalog?: Catalog | undefined
}

/** A model, and what it is called. */
export interface NamedModel {
  readonly id: string
  readonly model: ServedModel
}

/** Milliseconds between looks into the catalog: whoever invents names must not keep the disk busy. */
const CATALOG_LASTS = 1000
/** Names that an error lists. */
const MOST_NAMES = 20

export class Models {
  readonly #pinned: readonly ServedModel[]
  readonly #catalog: Catalog | undefined
  readonly #loader: ModelLoader
  #listed: readonly ServedModel[] = []
  #lookedAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | null = null

  constructor({ pinned = [], catalog, ...options }: ModelsOptions, watch?: EngineWatch) {
    this.#pinned = pinned.map((source) => new ServedModel({ ...source, isPinned: true }, watch))
    this.#catalog = catalog
    this.#loader = new ModelLoader(options)
  }

  /** One that is loaded already. */
  static of(engine: ServedEngine, aliases: readonly string[] = [], watch?: EngineWatch): Models {
    const models = new Models({ pinned: [{ aliases, load: async () => engine }] }, watch)
    for (const model of models.#pinned) model.arrive(engine)
    return models
  }

  /** Each once, though it may be both pinned and in the catalog. */
  get all(): readonly ServedModel[] {
    const ids = new Set<string | null>()
    return [...this.#pinned, ...this.#listed].filter(({ id }) => !ids.has(id) && ids.add(id))
  }

  /** Those whose ids are known: all, once the pinned ones are loaded. */
  get named(): readonly NamedModel[] {
    return this.all.flatMap((model) => (model.id === null ? [] : { id: model.id, model }))
  }

  /** Those that are loaded. */
  get engines(): readonly ServedEngine[] {
    return this.all.flatMap(({ engine }) => engine ?? [])
  }

  /** Whether each model that is loaded at the start has been. */
  get isComplete(): boolean {
    return this.#pinned.every(({ loads }) => loads > 0)
  }

  /** What a request means that names none, where that is certain. */
  get usual(): ServedModel | null {
    const [first] = this.#pinned
    const [only = null, second] = this.#listed
    return first ?? (second ? null : only)
  }

  /**
   * Loads what is to be there from the start, one after the other.
   * @throws what the first load that fails throws
   */
  async loadPinned(): Promise<readonly ServedEngine[]> {
    const never = new AbortController().signal
    const engines: ServedEngine[] = []
    for (const model of this.#pinned) {
      const { engine, release } = await this.acquire(model, never)
      release()
      engines.push(engine)
    }
    await this.refresh()
    return engines
  }

  /**
   * The model of a name: an id, its last part, or an alias; without one the usual model.
   * @throws ApiError `model_not_found` that says what there is; `missing_parameter` where a name is needed
   */
  async find(name: string | null | undefined): Promise<ServedModel> {
    const found = this.#known(name)
    if (found) return found
    await this.refresh()
    const listed = this.#known(name)
    if (listed) return listed
    const names = this.#names()
    if (name === null || name === undefined) {
      throw new ApiError('missing_parameter', `Say which model: this server has ${names}.`, 'model')
    }
    throw notServed(name, names)
  }

  /**
   * As `find`, for facts: the model has an id already.
   * @throws ApiError also `loading`
   */
  async findNamed(name: string | undefined): Promise<NamedModel> {
    const model = await this.find(name)
    const { id } = model
    if (id === null) throw stillLoading()
    return { id, model }
  }

  /** @throws ApiError `model_not_found` where the load showed that the name was another model's */
  check(model: ServedModel, name: string | null | undefined): void {
    if (typeof name === 'string' && !model.answersTo(name)) throw notServed(name, this.#names())
  }

  /** A lease on a model, which is loaded for it where it is not; rejects with the load's error or the signal's reason. */
  acquire(model: ServedModel, signal: AbortSignal): Promise<Lease> {
    const lease = model.take()
    if (lease) return Promise.resolve(lease)
    const waiting = model.wait(signal)
    void this.#loader.load(model)
    return waiting
  }

  /** Looks into the catalog, unless it was a moment ago. Models that are gone from it stay for as long as they are used. */
  refresh(): Promise<void> {
    const isFresh = performance.now() - this.#lookedAt < CATALOG_LASTS
    if (!this.#catalog || isFresh) return Promise.resolve()
    this.#looking ??= this.#look(this.#catalog).finally(() => {
      this.#looking = null
      this.#lookedAt = performance.now()
    })
    return this.#looking
  }

  /** Ends loads under way and refuses others. */
  stop(): void {
    this.#loader.stop()
  }

  /** Stops, and closes every engine once nobody uses it. */
  close(): Promise<void> {
    return this.#loader.close()
  }

  async #look(catalog: Catalog): Promise<void> {
    const sources = await catalog()
    const ids = new Set(sources.map(({ id }) => id))
    const stay = this.#listed.filter(({ id, state }) => ids.has(id ?? '') || state !== 'unloaded')
    const known = new Set(stay.map(({ id }) => id))
    const fresh = sources.filter(({ id }) => id !== undefined && !known.has(id))
    this.#listed = [...stay, ...fresh.map((source) => new ServedModel(source))]
  }

  #known(name: string | null | undefined): ServedModel | null {
    if (name === null || name === undefined) return this.usual
    // An exact id before a name that may be anybody's.
    return (
      this.all.find(({ id }) => id === name) ??
      this.all.find((model) => model.answersTo(name)) ??
      null
    )
  }

  #names(): string {
    const ids = this.named.map(({ id }) => id)
    const more = ids.length > MOST_NAMES ? ` and ${ids.length - MOST_NAMES} more` : ''
    const shown = ids.slice(0, MOST_NAMES).map((id) => `'${id}'`)
    return ids.length === 0 ? 'none' : shown.join(', ') + more
  }
}

/** Until a pinned model is loaded, what it is called may not be known. */
export const stillLoading = (): ApiError =>
  new ApiError('loading', 'The model is still loading; GET /health tells how far it is.')

const notServed = (name: string, names: string): ApiError =>
  new ApiError(
    'model_not_found',
    `The model '${name}' is not served here; this server has ${names}.`,
    'model',
  )
