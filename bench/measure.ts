/** What commands of the bench share: parts are run one after another, recorded as one run, and refused figures fail it. */
import { BenchError } from './failure.ts'
import type { Figure } from './figures.ts'
import { appendRun, commitOf, historyPlace, type Roofline, type Run } from './history.ts'

/** What a suite adds to the record of a run. */
export interface Part {
  /** Suite and model, for instance `model SmolLM2…`. */
  readonly what: string
  readonly adapter: string
  readonly driver: string
  readonly figures: readonly Figure[]
  /** What got no figure, and why: it fails the run, which is recorded all the same. */
  readonly failures: readonly string[]
  readonly roofline?: Roofline
}

/** A line for who reads the result. */
export const say = (line: string): void => void process.stdout.write(`${line}\n`)
/** A line on how the work goes. */
export const note = (line: string): void => void process.stderr.write(`bench: ${line}\n`)

/** Runs suites one after another, records what they measured, and throws BenchError where a figure was refused. */
export async function measure<O>(
  parts: readonly ((options: O) => Promise<Part>)[],
  options: O,
): Promise<void> {
  const done: Part[] = []
  for (const part of parts) done.push(await part(options))
  const { file, checkout } = historyPlace()
  appendRun(file, runOf(done, checkout))
  say(
    `\nRecorded in ${file}; "${checkout ? 'npm run bench --' : 'illuminator bench'} report" compares runs.`,
  )
  const failures = done.flatMap((part) => part.failures)
  if (failures.length === 0) return
  throw new BenchError(`${failures.length} failed (see above): ${failures[0]}`)
}

function runOf(parts: readonly Part[], checkout: string | null): Run {
  const [{ adapter, driver }] = parts as [Part]
  const roofline = parts.find((part) => part.roofline)?.roofline
  return {
    date: new Date().toISOString(),
    ...commitOf(checkout),
    adapter,
    driver,
    node: process.versions.node,
    what: parts.map(({ what }) => what),
    figures: parts.flatMap(({ figures }) => figures),
    ...(roofline ? { roofline } : {}),
  }
}
