/** What the identity suite compares and counts: answers against those of the same request alone. */
import type { GenerateOptions } from '../../engine/index.ts'

/** A request, and the ids that it gives alone and cold. */
export interface Case {
  /** For messages: which prompt, how long, how chosen. */
  readonly what: string
  readonly prompt: readonly number[]
  readonly options: GenerateOptions
  readonly ids: readonly number[]
}

export interface ConditionReport {
  readonly name: string
  /** Answers compared, and ids in them. */
  readonly answers: number
  readonly ids: number
  /** Ids that differ; those that one of the two answers lacks count, too. */
  readonly differences: number
  /** Times that the condition did not come about: nothing was shown by them. */
  readonly missed: number
  /** The first difference, or else the first miss, in words. */
  readonly first: string | null
}

export interface IdentityReport {
  readonly conditions: readonly ConditionReport[]
  readonly ids: number
  readonly differences: number
  readonly missed: number
}

type Counting = { -readonly [K in keyof ConditionReport]: ConditionReport[K] }

export class Tally {
  readonly #conditions = new Map<string, Counting>()

  /** Counts an answer under a condition. */
  compare(name: string, { what, ids: wanted }: Case, got: readonly number[]): void {
    const condition = this.#condition(name)
    const length = Math.max(wanted.length, got.length)
    const wrong = Array.from({ length }, (_, i) => i).filter((i) => wanted[i] !== got[i])
    condition.answers++
    condition.ids += length
    condition.differences += wrong.length
    const [at] = wrong
    if (at === undefined || condition.differences > wrong.length) return
    condition.first = `${what}: id ${at} is ${got[at] ?? 'missing'} and alone ${wanted[at] ?? 'missing'}; ${wrong.length} of ${length} differ`
  }

  /** The condition was wanted and did not come about. */
  miss(name: string, why: string): void {
    const condition = this.#condition(name)
    condition.missed++
    condition.first ??= `not shown: ${why}`
  }

  get report(): IdentityReport {
    const conditions = [...this.#conditions.values()]
    const sum = (of: (one: ConditionReport) => number): number =>
      conditions.reduce((total, one) => total + of(one), 0)
    return {
      conditions,
      ids: sum(({ ids }) => ids),
      differences: sum(({ differences }) => differences),
      missed: sum(({ missed }) => missed),
    }
  }

  #condition(name: string): Counting {
    const known = this.#conditions.get(name)
    if (known) return known
    const fresh = { name, answers: 0, ids: 0, differences: 0, missed: 0, first: null }
    this.#conditions.set(name, fresh)
    return fresh
  }
}
