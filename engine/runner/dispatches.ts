/** The recorded dispatches of a model, by what a step needs of them: stages of the graph in the tiles that suit its rows. */
import type { Device, Dispatch } from '../../kernels/index.ts'

/** Tiles of one row or of several, for products and for attention. They differ in speed and in no bit. */
export interface Variant {
  readonly product: 'one' | 'several'
  readonly attention: 'one' | 'several'
}

/** The dispatches of a stage of the graph; a part of a split matrix takes one each. */
export type Stage = (variant: Variant) => readonly Dispatch[]

const EITHER = ['one', 'several'] as const

/** Up to so many rows, tiles of one row are faster: a tile of several costs as much as two of one on a CPU. */
const FEW = { software: 2, gpu: 1 }

export class DecoderDispatches {
  readonly #body: ReadonlyMap<string, readonly Dispatch[]>
  readonly #head: ReadonlyMap<string, readonly Dispatch[]>
  readonly #few: number
  readonly countTokens: readonly Dispatch[]
  readonly sample: readonly Dispatch[]
  readonly logprobs: readonly Dispatch[]

  constructor(
    device: Device,
    body: readonly Stage[],
    head: readonly Stage[],
    ends: Pick<DecoderDispatches, 'countTokens' | 'sample' | 'logprobs'>,
  ) {
    const variants = EITHER.flatMap((product) =>
      EITHER.map((attention): Variant => ({ product, attention })),
    )
    const all = (stages: readonly Stage[]): Map<string, readonly Dispatch[]> =>
      new Map(
        variants.map((one) => [
          `${one.product} ${one.attention}`,
          stages.flatMap((stage) => stage(one)),
        ]),
      )
    this.#body = all(body)
    this.#head = all(head)
    this.#few = device.caps.software ? FEW.software : FEW.gpu
    this.countTokens = ends.countTokens
    this.sample = ends.sample
    this.logprobs = ends.logprobs
  }

  /** Embedding and layers for `rows` rows, of which attention takes at most `tileRows` at once. */
  body(rows: number, tileRows: number): readonly Dispatch[] {
    return this.#body.get(`${this.#product(rows)} ${tileRows > 1 ? 'several' : 'one'}`)!
  }

  /** Final norm and head over the rows that `headSource` names. */
  head(picks: number): readonly Dispatch[] {
    return this.#head.get(`${this.#product(picks)} one`)!
  }

  /** One dispatch for every pipeline. */
  get pipelines(): readonly Dispatch[] {
    const all = [...this.#body.values(), ...this.#head.values()].flat()
    all.push(...this.countTokens, ...this.sample, ...this.logprobs)
    return [...new Map(all.map((dispatch) => [dispatch.pipeline, dispatch])).values()]
  }

  #product(rows: number): Variant['product'] {
    return rows > this.#few ? 'several' : 'one'
  }
}
