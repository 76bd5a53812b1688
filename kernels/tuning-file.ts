/** Kept tunings on disk: a JSON file an adapter and driver, in the user's cache folder. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { Device } from './gpu/device.ts'
import { cacheFolder } from './gpu/software-driver.ts'
import type { KeptTuning } from './tuned.ts'

type Adapter = Pick<Device, 'name' | 'vendor' | 'driver' | 'caps'>

const tuning = z.record(z.string(), z.number())
const schema = z.object({
  format: z.literal(2),
  adapter: z.string(),
  kernels: z.record(
    z.string(),
    z.object({
      one: tuning,
      several: tuning,
      many: tuning,
      versions: z.object({ one: z.string(), several: z.string(), many: z.string() }),
    }),
  ),
})

/** Drivers say their version in the adapter's name. */
const nameOf = ({ name, vendor, driver, caps }: Adapter): string =>
  `${name} (${vendor}, ${driver}, subgroups of ${caps.subgroupMin})`

/** Where this adapter's tunings are kept. */
export function tuningFile(adapter: Adapter): string {
  const hash = createHash('sha256').update(nameOf(adapter)).digest('hex').slice(0, 12)
  return join(cacheFolder(), 'tunings', `${adapter.driver}-${hash}.json`)
}

/**
 * What was kept for this adapter; nothing where nothing was, and with ILLUMINATOR_TUNINGS=off.
 * @param onProblem hears that the file is there and cannot be read; it is then as if it were not
 */
export function readTunings(
  adapter: Adapter,
  onProblem: (message: string) => void,
): ReadonlyMap<string, KeptTuning> {
  const file = tuningFile(adapter)
  if (process.env.ILLUMINATOR_TUNINGS === 'off' || !existsSync(file)) return new Map()
  try {
    const { kernels } = schema.parse(JSON.parse(readFileSync(file, 'utf8')))
    return new Map(Object.entries(kernels))
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error)
    onProblem(
      `${file} cannot be read, so kernels run untuned: ${reason}. Remove it, or tune again.`,
    )
    return new Map()
  }
}

/** Keeps tunings beside those kept before; a reader sees the old file or the new one. */
export function keepTunings(adapter: Adapter, found: ReadonlyMap<string, KeptTuning>): string {
  const file = tuningFile(adapter)
  const before = readTunings(adapter, () => undefined)
  const kernels = Object.fromEntries([...before, ...found])
  mkdirSync(dirname(file), { recursive: true })
  const text = JSON.stringify({ format: 2, adapter: nameOf(adapter), kernels }, null, 1)
  const partial = `${file}.${process.pid}`
  writeFileSync(partial, `${text}\n`)
  renameSync(partial, file)
  return file
}
