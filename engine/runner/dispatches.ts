/** The recorded dispatches of a model, by what a step needs of them: stages of the graph in the tiles that suit its rows. */
import {
  ATTENTION_TILE,
  type Device,
  type Dispatch,
  FORMS,
  type Form,
  type Pipeline,
  SEVERAL_ROWS,
  type Segment,
} from '../../kernels/index.ts'
import type { BatchSizes } from './batch.ts'
import { spansApart } from './spans.ts'

/** Tiles of one row, of several or of many, for products and for attention. They differ in speed and in no bit. */
export interface Variant {
  readonly product: Form
  readonly attention: 'one' | 'several'
  /** Spans of keys have workgroups of their own, and are joined after. */
  readonly isApart: boolean
}

/** The dispatches of a stage of the graph; a part of a split matrix takes one each. */
export type Stage = (variant: Variant) => readonly Dispatch[]

const VARIANTS = FORMS.flatMap((product) =>
  (['one', 'several'] as const).flatMap((attention) =>
    [false, true].map((isApart): Variant => ({ product, attention, isApart })),
  ),
)
const ALONE: Variant = { product: 'one', attention: 'one', isApart: false }
/** What every step can be run in, and compiled soonest: tiles of several rows hold one as well. */
const LEAST: Variant = { product: 'several', attention: 'one', isApart: false }
const LEAST_IN_TILES: Variant = { ...LEAST, attention: 'several' }
/** Compiled one after another, what makes most steps faster first. */
const IN_TURN = [
  ALONE,
  LEAST_IN_TILES,
  { ...LEAST_IN_TILES, product: 'many' } as const,
  ...VARIANTS,
]

/** What stands in for a variant until all of it is compiled, best first. The tiles of a step's rows are what they are. */
const insteadOf = (wanted: Variant): Variant[] => [
  wanted,
  { ...wanted, isApart: false },
  { ...LEAST, attention: wanted.attention },
]

/** Up to so many rows, tiles of one row are faster: a tile of several costs as much as two of one on a CPU. */
const FEW = { software: 2, gpu: 1 }

const keyOf = ({ product, attention, isApart }: Variant): string =>
  `${product} ${attention} ${isApart}`

/** What of a step's sizes decides how its layers are computed. */
export type Layout = Pick<BatchSizes, 'rows' | 'tiles' | 'tileRows' | 'longest'>

export class DecoderDispatches {
  readonly #body: ReadonlyMap<string, readonly Dispatch[]>
  readonly #head: ReadonlyMap<string, readonly Dispatch[]>
  readonly #few: number
  readonly #tilesApart: number
  readonly countTokens: readonly Dispatch[]
  readonly sample: readonly Dispatch[]
  readonly logprobs: readonly Dispatch[]
  readonly #compiled = new Set<Pipeline>()
  /** Lists of dispatches whose pipelines are all compiled. */
  readonly #ready = new Set<readonly Dispatch[]>()
  /** Whether all pipelines are compiled; until then steps do with those that are. */
  isWhole = false

  constructor(
    device: Device,
    tilesApart: number,
    body: readonly Stage[],
    head: readonly Stage[],
    ends: Pick<DecoderDispatches, 'countTokens' | 'sample' | 'logprobs'>,
  ) {
    const all = (stages: readonly Stage[]): Map<string, readonly Dispatch[]> =>
      new Map(VARIANTS.map((one) => [keyOf(one), stages.flatMap((stage) => stage(one))]))
    this.#body = all(body)
    this.#head = all(head)
    this.#tilesApart = tilesApart
    this.#few = device.caps.software ? FEW.software : FEW.gpu
    this.countTokens = ends.countTokens
    this.sample = ends.sample
    this.logprobs = ends.logprobs
  }

  /** Most rows that a step's tiles may have. */
  get tileRows(): number {
    const isReady = this.isWhole || this.#ready.has(this.#body.get(keyOf(LEAST_IN_TILES))!)
    return isReady ? ATTENTION_TILE : 1
  }

  /** Embedding and layers for a step. */
  body({ rows, tiles, tileRows, longest }: Layout): Segment {
    const spans = spansApart(this.#tilesApart, tiles, longest)
    const attention = tileRows > 1 ? 'several' : 'one'
    const wanted = { product: this.#product(rows), attention, isApart: spans > 1 } as const
    const { dispatches, isApart } = this.#inBest(this.#body, insteadOf(wanted))
    return { dispatches, rows, tiles, spans: isApart ? spans : 1 }
  }

  /** Final norm and head over the rows that `headSource` names. */
  head(picks: number): readonly Dispatch[] {
    const wanted: Variant = { ...ALONE, product: this.#product(picks) }
    return this.#inBest(this.#head, [wanted, { ...ALONE, product: 'several' }, ALONE]).dispatches
  }

  /** Dispatches of a token alone, once all pipelines are compiled. */
  get perToken(): number {
    const key = keyOf(ALONE)
    return this.#body.get(key)!.length + this.#head.get(key)!.length + this.sample.length
  }

  /** One dispatch for every pipeline: those without which there is no answer, and the rest, in the order wanted. */
  get pipelines(): { first: readonly Dispatch[]; rest: readonly Dispatch[] } {
    const of = (stages: ReadonlyMap<string, readonly Dispatch[]>, variants: readonly Variant[]) =>
      variants.flatMap((variant) => stages.get(keyOf(variant)) ?? [])
    const needed = [...of(this.#body, [LEAST]), ...of(this.#head, [ALONE])]
    needed.push(...this.countTokens, ...this.sample)
    const first = new Map(needed.map((dispatch) => [dispatch.pipeline, dispatch]))
    const all = [...of(this.#body, IN_TURN), ...of(this.#head, VARIANTS), ...this.logprobs]
    const rest = new Map(all.map((dispatch) => [dispatch.pipeline, dispatch]))
    for (const pipeline of first.keys()) rest.delete(pipeline)
    return { first: [...first.values()], rest: [...rest.values()] }
  }

  /** Has steps run in what needs this pipeline, from now on. */
  compiled({ pipeline }: Dispatch): void {
    this.#compiled.add(pipeline)
    for (const list of [...this.#body.values(), ...this.#head.values()]) {
      if (list.every((one) => this.#compiled.has(one.pipeline))) this.#ready.add(list)
    }
  }

  /** The first variant that is compiled; the last one whether it is or not. */
  #inBest(
    stages: ReadonlyMap<string, readonly Dispatch[]>,
    variants: readonly Variant[],
  ): { dispatches: readonly Dispatch[]; isApart: boolean } {
    for (const variant of variants) {
      const dispatches = stages.get(keyOf(variant))!
      if (this.#ready.has(dispatches)) return { dispatches, isApart: variant.isApart }
    }
    const last = variants.at(-1)!
    return { dispatches: stages.get(keyOf(last))!, isApart: last.isApart }
  }

  #product(rows: number): Variant['product'] {
    return rows > SEVERAL_ROWS ? 'many' : rows > this.#few ? 'several' : 'one'
  }
}
