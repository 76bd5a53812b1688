/** How long a load takes, and its parts: weights beside what reading their files takes, pipelines with a cold shader cache. */
import { execFile } from 'node:child_process'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Progress } from '../../engine/index.ts'
import { BenchError } from '../failure.ts'

/** Seconds. */
export interface LoadTimes {
  readonly total: number
  /** From the first byte of the weights to the last. */
  readonly weights: number
  /** Compiling, and the first run of each pipeline, in which drivers compile too. */
  readonly pipelines: number
}

/** Hears of a load's progress from now on; `times` once it is done. */
export function watchLoad(): { onProgress(progress: Progress): void; times(): LoadTimes } {
  const start = performance.now()
  const spans = new Map<string, { from: number; to: number }>()
  const seconds = (phase: string): number => {
    const span = spans.get(phase)
    return span ? (span.to - span.from) / 1000 : 0
  }
  return {
    onProgress({ phase }) {
      const now = performance.now()
      const span = spans.get(phase)
      if (span) span.to = now
      else spans.set(phase, { from: now, to: now })
    },
    times: () => ({
      total: (performance.now() - start) / 1000,
      weights: seconds('weights'),
      pipelines: seconds('pipelines'),
    }),
  }
}

const CHUNK = 2 ** 23

/** Seconds that reading a folder's weight files takes, as the engine reads them: in parts, one after another. */
export async function readSeconds(folder: string): Promise<number> {
  const files = (await readdir(folder)).filter((name) => extname(name) === '.safetensors')
  const chunk = new Uint8Array(CHUNK)
  const start = performance.now()
  for (const name of files) {
    const file = await open(join(folder, name))
    try {
      while ((await file.read(chunk, 0, CHUNK)).bytesRead > 0);
    } finally {
      await file.close()
    }
  }
  return (performance.now() - start) / 1000
}

/** Loads the model in a process of its own whose drivers find no compiled shader. Throws BenchError. */
export async function coldLoad(
  model: string | undefined,
  adapter: string | undefined,
): Promise<LoadTimes> {
  const script = fileURLToPath(new URL(`./cold-load${extname(import.meta.url)}`, import.meta.url))
  const cache = await mkdtemp(join(tmpdir(), 'illuminator-cold-'))
  const env = {
    ...process.env,
    MESA_SHADER_CACHE_DIR: cache,
    __GL_SHADER_DISK_CACHE_PATH: cache,
  }
  try {
    const args = [...importsOf(process.execArgv), script, JSON.stringify({ model, adapter })]
    const { stdout } = await promisify(execFile)(process.execPath, args, { env })
    return JSON.parse(stdout) as LoadTimes
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause)
    throw new BenchError(`The load in a process of its own failed: ${said}`, { cause })
  } finally {
    await rm(cache, { recursive: true, force: true })
  }
}

/** Flags by which Node learns to run our sources. Others are of this process alone: with `--eval` it would start itself. */
export const importsOf = (flags: readonly string[]): string[] =>
  flags.filter((flag, i) => /^--import(=|$)/.test(flag) || flags[i - 1] === '--import')
