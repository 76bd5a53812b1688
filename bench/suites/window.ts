/**
 * Decoding far past a sliding window: whole tokens of a small random model at two and at four times its window, in turns,
 * ids checked in every repeat; and of the same model without a window, which shows what would have been seen.
 */
import { rm } from 'node:fs/promises'
import { Engine } from '../../engine/index.ts'
import { driverNamed } from '../driver-name.ts'
import type { Figure } from '../figures.ts'
import { figuresOf, overContext } from '../model/figures.ts'
import { writeRandomMistral } from '../model/random-mistral.ts'
import { timeScenarios } from '../model/scenarios.ts'

export interface WindowBenchOptions {
  readonly adapter: string | undefined
  readonly window: number
  /** Tokens decoded after each prompt. */
  readonly tokens: number
  readonly repeats: number
  readonly note: (message: string) => void
}

export interface WindowBench {
  readonly adapter: string
  readonly driver: string
  readonly figures: Figure[]
}

/** A token at four windows should cost what it does at two, but for the noise of a machine. */
const WANTED = { is: '>=', bound: 0.95 } as const

/** Throws EngineError, GpuError; BenchError where ids differ. */
export async function benchWindow(options: WindowBenchOptions): Promise<WindowBench> {
  const windowed = await timed(options, options.window)
  const whole = await timed(options, null)
  const figures = [...windowed.figures.map(wantedOf), ...whole.figures]
  return { ...windowed, figures }
}

const wantedOf = (figure: Figure): Figure =>
  figure.unit === 'x' ? { ...figure, wanted: WANTED } : figure

async function timed(
  { adapter, window, tokens, repeats, note }: WindowBenchOptions,
  own: number | null,
): Promise<WindowBench> {
  const decode = [2 * window, 4 * window]
  const context = 4 * window + tokens
  const folder = await writeRandomMistral(own, context)
  const what = own === null ? 'without a window' : `window ${own}`
  try {
    const loading = { contextLength: context, ...(adapter ? { adapter } : {}) }
    const engine = await Engine.load(folder, loading)
    try {
      const sizes = { prefill: [], decode, batch: [], tokens, repeats, budget: 60 }
      const onNote = (message: string): void => note(`${what}: ${message}`)
      const samples = await timeScenarios(engine, { ...sizes, note: onNote })
      const figures = [...figuresOf(samples), ...overContext(samples)]
      return {
        adapter: engine.stats.adapter.name,
        driver: driverNamed(engine.stats.adapter),
        figures: figures.map((one) => ({ ...one, name: `${what}: ${one.name}` })),
      }
    } finally {
      await engine.close()
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}
