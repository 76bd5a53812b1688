/** The local history: every run appends one JSON line to `.bench/history.jsonl`, which git ignores. */
import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { defaultDataFolder } from '../server/index.ts'
import { BenchError } from './failure.ts'
import type { Figure } from './figures.ts'

/** A kernel as a roofline plot needs it. */
export interface RooflinePoint {
  readonly name: string
  /** GB/s and GFLOP/s at the median: one over the other is what it computes a byte. */
  readonly bandwidth: number
  readonly arithmetic: number
}

export interface Roofline {
  /** GB/s and GFLOP/s of the probes. */
  readonly probes: { readonly read: number; readonly fma: number }
  readonly kernels: readonly RooflinePoint[]
}

export interface Run {
  readonly date: string
  /** Of the checkout; null outside of one. */
  readonly commit: string | null
  /** The checkout had changes that are in no commit. */
  readonly changed: boolean
  readonly adapter: string
  readonly driver: string
  readonly node: string
  /** Suites and model of the run, for instance `kernels`, `model SmolLM2…`. */
  readonly what: readonly string[]
  readonly figures: readonly Figure[]
  /** Of runs that timed kernels; older lines have none. */
  readonly roofline?: Roofline
}

export interface HistoryPlace {
  readonly file: string
  /** The checkout that is measured; null for an installed package. */
  readonly checkout: string | null
}

/**
 * `.bench/history.jsonl` of the checkout that this file lies in, built or not; for an installed package, where nothing
 * should be written to, `bench-history.jsonl` in the data folder.
 */
export function historyPlace(
  from: string = import.meta.dirname,
  env: NodeJS.ProcessEnv = process.env,
): HistoryPlace {
  if (from.split(sep).includes('node_modules')) {
    const { ILLUMINATOR_DATA: named, ...rest } = env
    const isKept = named !== undefined && named !== ':memory:'
    const folder = defaultDataFolder(isKept ? env : rest)
    return { file: join(folder, 'bench-history.jsonl'), checkout: null }
  }
  let folder = from
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) {
    folder = dirname(folder)
  }
  return { file: join(folder, '.bench', 'history.jsonl'), checkout: folder }
}

export function appendRun(file: string, run: Run): void {
  mkdirSync(dirname(file), { recursive: true })
  appendFileSync(file, `${JSON.stringify(run)}\n`)
}

/** All runs, oldest first; none when there is no file. Throws BenchError naming a line that is not a run. */
export function readRuns(file: string): Run[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, index) => (line.trim() === '' ? [] : [parseRun(file, line, index + 1)]))
}

function parseRun(file: string, line: string, number: number): Run {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw notARun(file, number, cause)
  }
  const { date, adapter, driver, figures } = (value ?? {}) as Partial<Run>
  if (![date, adapter, driver].every((one) => typeof one === 'string') || !Array.isArray(figures)) {
    throw notARun(file, number, undefined)
  }
  return value as Run
}

const notARun = (file: string, number: number, cause: unknown): BenchError =>
  new BenchError(
    `${file}:${number} is not a recorded run (expected JSON with date, adapter, driver and figures). Remove the line.`,
    { cause },
  )

/** Commit of the checkout and whether it has changes; null where git or a checkout is missing. */
export function commitOf(folder: string | null): { commit: string | null; changed: boolean } {
  if (folder === null) return { commit: null, changed: false }
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  try {
    const commit = git('rev-parse', 'HEAD').trim()
    return { commit, changed: git('status', '--porcelain').trim() !== '' }
  } catch {
    // An unpacked tarball, or no git: the run is recorded all the same.
    return { commit: null, changed: false }
  }
}
