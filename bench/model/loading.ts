/** How long a load takes, and its parts: weights beside what reading their files takes, pipelines with a cold shader cache. */
import { execFile } from 'node:child_process'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Progress } from '../../engine/index.ts'
import { loadingFlags } from '../../engine/worker/loading-flags.ts'
import { BenchError } from '../failure.ts'

/** Seconds. */
export interface LoadTimes {
  readonly total: number
  /** From the first byte of the weights to the last. */
  readonly weights: number
  /** Compiling, and the first run of each pipeline, in which drivers compile too. */
  readonly pipelines: number
  /** The same, of the processor: what else runs beside makes it no longer. */
  readonly pipelinesProcessor: number
}

/** Milliseconds, of the clock and of all processors for this process. */
interface Moment {
  readonly wall: number
  readonly processor: number
}

function moment(): Moment {
  const { user, system } = process.cpuUsage()
  return { wall: performance.now(), processor: (user + system) / 1000 }
}

/** Hears of a load's progress from now on; `times` once it is done. */
export function watchLoad(): { onProgress(progress: Progress): void; times(): LoadTimes } {
  const start = performance.now()
  const spans = new Map<string, { from: Moment; to: Moment }>()
  const seconds = (phase: string, of: keyof Moment = 'wall'): number => {
    const span = spans.get(phase)
    return span ? (span.to[of] - span.from[of]) / 1000 : 0
  }
  return {
    onProgress({ phase }) {
      const now = moment()
      const span = spans.get(phase)
      if (span) span.to = now
      else spans.set(phase, { from: now, to: now })
    },
    times: () => ({
      total: (performance.now() - start) / 1000,
      weights: seconds('weights'),
      pipelines: seconds('pipelines'),
      pipelinesProcessor: seconds('pipelines', 'processor'),
    }),
  }
}

const CHUNK = 2 ** 23

const weightFiles = async (folder: string): Promise<string[]> =>
  (await readdir(folder))
    .filter((name) => extname(name) === '.safetensors')
    .map((name) => join(folder, name))

/** Has the system forget what it keeps of a folder's weight files; false where it cannot be asked (`dd` of GNU asks it). */
export async function dropFromPageCache(folder: string): Promise<boolean> {
  try {
    for (const file of await weightFiles(folder)) {
      await promisify(execFile)('dd', [`if=${file}`, 'iflag=nocache', 'count=0'])
    }
    return true
  } catch {
    return false
  }
}

/** Seconds that reading a folder's weight files takes, as the engine reads them: in parts, one after another. */
export async function readSeconds(folder: string): Promise<number> {
  const files = await weightFiles(folder)
  const chunk = new Uint8Array(CHUNK)
  const start = performance.now()
  for (const name of files) {
    const file = await open(name)
    try {
      while ((await file.read(chunk, 0, CHUNK)).bytesRead > 0);
    } finally {
      await file.close()
    }
  }
  return (performance.now() - start) / 1000
}

/** A load by a process of its own, and what it then answered. */
export interface ColdLoad extends LoadTimes {
  /** Greedy ids after `COLD_PROMPT`. */
  readonly ids: readonly number[]
}

export const COLD_PROMPT = { length: 32, tokens: 8 }

/** Loads the model in a process of its own whose drivers find no compiled shader. Throws BenchError. */
export async function coldLoad(
  model: string | undefined,
  adapter: string | undefined,
): Promise<ColdLoad> {
  const script = fileURLToPath(new URL(`./cold-load${extname(import.meta.url)}`, import.meta.url))
  const cache = await mkdtemp(join(tmpdir(), 'illuminator-cold-'))
  const env = {
    ...process.env,
    MESA_SHADER_CACHE_DIR: cache,
    __GL_SHADER_DISK_CACHE_PATH: cache,
  }
  try {
    const args = [...loadingFlags(process.execArgv), script, JSON.stringify({ model, adapter })]
    const { stdout } = await promisify(execFile)(process.execPath, args, { env })
    return JSON.parse(stdout) as ColdLoad
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause)
    throw new BenchError(`The load in a process of its own failed: ${said}`, { cause })
  } finally {
    await rm(cache, { recursive: true, force: true })
  }
}
