/** The recorded dispatches of a model, by what a step needs of them: stages of the graph in the tiles that suit its rows. */
import type { Device, Dispatch, Segment } from '../../kernels/index.ts'
import type { BatchSizes } from './batch.ts'
import { spansApart } from './spans.ts'

/** Tiles of one row or of several, for products and for attention. They differ in speed and in no bit. */
export interface Variant {
  readonly product: 'one' | 'several'
  readonly attention: 'one' | 'several'
  /** Spans of keys have workgroups of their own, and are joined after. */
  readonly isApart: boolean
}

/** The dispatches of a stage of the graph; a part of a split matrix takes one each. */
export type Stage = (variant: Variant) => readonly Dispatch[]

const EITHER = ['one', 'several'] as const
const VARIANTS = EITHER.flatMap((product) =>
  EITHER.flatMap((attention) =>
    [false, true].map((isApart): Variant => ({ product, attention, isApart })),
  ),
)
const ALONE: Variant = { product: 'one', attention: 'one', isApart: false }

/** Up to so many rows, tiles of one row are faster: a tile of several costs as much as two of one on a CPU. */
const FEW = { software: 2, gpu: 1 }

const keyOf = ({ product, attention, isApart }: Variant): string =>
  `${product} ${attention} ${isApart}`

/** What of a step's sizes decides how its layers are computed. */
export type Layout = Pick<BatchSizes, 'rows' | 'tiles' | 'tileRows' | 'longest'>

/** A step of one row that sees nothing but itself. */
export const SINGLE: Layout = { rows: 1, tiles: 1, tileRows: 1, longest: 1 }

export class DecoderDispatches {
  readonly #body: ReadonlyMap<string, readonly Dispatch[]>
  readonly #head: ReadonlyMap<string, readonly Dispatch[]>
  readonly #few: number
  readonly #tilesApart: number
  readonly countTokens: readonly Dispatch[]
  readonly sample: readonly Dispatch[]
  readonly logprobs: readonly Dispatch[]
  /** Until all pipelines are compiled, steps do with those that any answer needs. */
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

  /** Embedding and layers for a step. */
  body({ rows, tiles, tileRows, longest }: Layout): Segment {
    const spans = this.isWhole ? spansApart(this.#tilesApart, tiles, longest) : 1
    const attention = tileRows > 1 ? 'several' : 'one'
    const key = keyOf({ product: this.#product(rows), attention, isApart: spans > 1 })
    return { dispatches: this.#body.get(key)!, rows, tiles, spans }
  }

  /** Final norm and head over the rows that `headSource` names. */
  head(picks: number): readonly Dispatch[] {
    const product = this.isWhole ? this.#product(picks) : 'one'
    return this.#head.get(keyOf({ ...ALONE, product }))!
  }

  /** One dispatch for every pipeline: those without which there is no answer, and the rest. */
  get pipelines(): { first: readonly Dispatch[]; rest: readonly Dispatch[] } {
    const of = (stages: ReadonlyMap<string, readonly Dispatch[]>, needed: readonly Variant[]) =>
      needed.flatMap((variant) => stages.get(keyOf(variant)) ?? [])
    const plain = VARIANTS.filter(({ isApart }) => !isApart)
    const needed = [...of(this.#body, plain), ...of(this.#head, [ALONE])]
    needed.push(...this.countTokens, ...this.sample)
    const first = new Map(needed.map((dispatch) => [dispatch.pipeline, dispatch]))
    const all = [...of(this.#body, VARIANTS), ...of(this.#head, VARIANTS), ...this.logprobs]
    const rest = new Map(all.map((dispatch) => [dispatch.pipeline, dispatch]))
    for (const pipeline of first.keys()) rest.delete(pipeline)
    return { first: [...first.values()], rest: [...rest.values()] }
  }

  #product(rows: number): Variant['product'] {
    return rows > this.#few ? 'several' : 'one'
  }
}
