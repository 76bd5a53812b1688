/** What every scenario of the serving suite is made of. */
import type { Engine } from '../../../engine/index.ts'
import type { Figure, Wanted } from '../../figures.ts'
import { spreadOf } from '../../statistics.ts'

/** What the suite needs of an engine: tests hand in a stand-in. */
export type ServingEngine = Pick<
  Engine,
  'generate' | 'chat' | 'tokenize' | 'close' | 'info' | 'stats'
>

/** Lengths that decide how long the suite takes; those of the promises are constants of their scenarios. */
export interface ServingSizes {
  /** Tokens that each of the sequences of the throughput scenario decodes. */
  readonly decode: number
  /** Tokens seen before a hit. */
  readonly shared: number
  /** Tokens of the prompt that is admitted beside streams. */
  readonly admitted: number
  /** Tokens that streams are watched for before the admission and after it. */
  readonly around: number
  /** Most tokens of a chat's answers. */
  readonly answer: number
  /** Tokens decoded with and without drafts. */
  readonly drafted: number
}

/** A scenario that is warm and knows what its outputs must be. */
export interface Scenario {
  /** Measures every side of its ratios once, one after another, and checks every output. Throws BenchError. */
  repeat(number: number): Promise<void>
  /** Figures of all repeats. May check what could only be checked at the end. Throws BenchError. */
  figures(): Promise<Figure[]>
}

/** Warms a scenario up, untimed. Throws BenchError, EngineError. */
export type Prepare = (engine: ServingEngine, sizes: ServingSizes) => Promise<Scenario>

export const greedy = (maxTokens: number) =>
  ({ maxTokens, temperature: 0, ignoreEos: true }) as const

export function figureOf(
  name: string,
  unit: string,
  values: readonly number[],
  wanted?: Wanted,
): Figure {
  const figure = { name, unit, runs: values.length, ...spreadOf(values) }
  return wanted ? { ...figure, wanted } : figure
}

/** `over[i] / under[i]`: both of one repeat, so that a slow spell falls on both. */
export const ratiosOf = (over: readonly number[], under: readonly number[]): number[] =>
  over.map((value, i) => value / (under[i] as number))
