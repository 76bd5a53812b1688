/**
 * The results of a batch on disk. Each is appended as it comes, in one write, so that whatever ends the process loses
 * what was under way and nothing else; once all prompts are answered, the lines are put into the order of the prompts.
 * At no time does the file hold two lines of one prompt.
 */
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { CommandError, UsageError } from '../exit.ts'
import { linesOf } from './file-lines.ts'
import type { Prompt } from './prompts.ts'
import { BEGINNING, type ResultLine, readLine, writeLine } from './result-line.ts'

interface Kept {
  readonly start: number
  /** With its line break. */
  readonly length: number
  readonly status: ResultLine['status']
}

export interface OpenOptions {
  /** Forgets the lines of prompts that failed, so that they are asked again. */
  readonly dropFailed: boolean
  /** Hears what was repaired. */
  readonly tell: (line: string) => void
}

export class ResultFile {
  readonly path: string
  #file: FileHandle
  #size: number
  readonly #kept: Map<number, Kept>
  /** Lines are written one after another. */
  #last: Promise<void> = Promise.resolve()

  private constructor(path: string, file: FileHandle, size: number, kept: Map<number, Kept>) {
    this.path = path
    this.#file = file
    this.#size = size
    this.#kept = kept
  }

  /**
   * Opens the results of an earlier run, or begins some.
   * @throws UsageError for a file that holds anything but results of these prompts; it is left as it is
   */
  static async open(
    given: string,
    prompts: readonly Prompt[],
    options: OpenOptions,
  ): Promise<ResultFile> {
    const { path, file } = await openFile(given)
    try {
      const { kept, end, broken } = await readResults(path, file, prompts)
      if (broken === 'cut') {
        await file.truncate(end)
        options.tell(`${given}: its last line was cut short; that prompt is asked again.`)
      }
      const size = broken === 'no line break' ? end + 1 : end
      if (broken === 'no line break') await file.write('\n', end)
      const results = new ResultFile(path, file, size, kept)
      if (options.dropFailed && results.failed > 0) await results.#rewrite('completed')
      return results
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Prompts that have a line, whatever became of them. */
  get answered(): number {
    return this.#kept.size
  }

  get failed(): number {
    let count = 0
    for (const { status } of this.#kept.values()) if (status === 'failed') count++
    return count
  }

  has(index: number): boolean {
    return this.#kept.has(index)
  }

  /** Adds a line. Resolves when it is in the file. */
  add(result: ResultLine): Promise<void> {
    this.#last = this.#last.then(() => this.#append(result))
    return this.#last
  }

  /** Puts the lines into the order of the prompts. */
  async order(): Promise<void> {
    await this.#last
    const indices = [...this.#kept.keys()]
    const isOrdered = indices.every((index, at) => at === 0 || index > (indices[at - 1] ?? 0))
    if (!isOrdered) await this.#rewrite()
  }

  /** What was handed over is written, and on the disk. */
  async close(): Promise<void> {
    try {
      await this.#last
      await this.#file.datasync()
    } finally {
      await this.#file.close()
    }
  }

  async #append(result: ResultLine): Promise<void> {
    const line = Buffer.from(writeLine(result))
    try {
      for (let done = 0; done < line.length; ) {
        const at = this.#size + done
        done += (await this.#file.write(line, done, line.length - done, at)).bytesWritten
      }
    } catch (error) {
      // A full disk: half a line is none. Should this fail too, the next run repairs it.
      await this.#file.truncate(this.#size).catch(() => {})
      const why = error instanceof Error ? error.message : String(error)
      throw new CommandError(`The results cannot be written to ${this.path}: ${why}`, {
        cause: error,
      })
    }
    const { index, status } = result
    this.#kept.set(index, { start: this.#size, length: line.length, status })
    this.#size += line.length
  }

  /** Writes the lines, in their order, to a file that then takes this one's place: at no time is there half of one. */
  async #rewrite(only?: ResultLine['status']): Promise<void> {
    const fresh = `${this.path}.${process.pid}.part`
    const { mode } = await this.#file.stat()
    const file = await open(fresh, 'w+', mode)
    try {
      const ordered = [...this.#kept].sort(([a], [b]) => a - b)
      const kept = new Map<number, Kept>()
      let size = 0
      for (const [index, line] of ordered) {
        if (only && line.status !== only) continue
        const { start, length } = line
        const { buffer } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, start)
        await file.appendFile(buffer)
        kept.set(index, { ...line, start: size })
        size += length
      }
      await file.datasync()
      await rename(fresh, this.path)
      await this.#file.close()
      this.#file = file
      this.#size = size
      this.#kept.clear()
      for (const [index, line] of kept) this.#kept.set(index, line)
    } catch (error) {
      await file.close()
      await rm(fresh, { force: true })
      throw error
    }
  }
}

async function openFile(given: string): Promise<{ path: string; file: FileHandle }> {
  try {
    const found = await stat(given).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    if (found && !found.isFile()) {
      throw new UsageError(`${given} is no regular file, so no later run could go on with it.`)
    }
    const file = await open(given, found ? 'r+' : 'wx+')
    return { path: await realpath(given), file }
  } catch (error) {
    if (error instanceof UsageError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new UsageError(`The results cannot be written to ${given}: ${why}`)
  }
}

interface Found {
  readonly kept: Map<number, Kept>
  /** Where the next line goes. */
  readonly end: number
  readonly broken: 'cut' | 'no line break' | null
}

async function readResults(
  path: string,
  file: FileHandle,
  prompts: readonly Prompt[],
): Promise<Found> {
  const kept = new Map<number, Kept>()
  let end = 0
  let number = 0
  for await (const { start, bytes, isEnded } of linesOf(file)) {
    number++
    const text = bytes.toString('utf8')
    const result = readLine(text)
    if (result === null) {
      if (!isEnded && isCutShort(text)) return { kept, end: start, broken: 'cut' }
      throw refusal(path, number, 'is no result of a batch')
    }
    const { index, status } = result
    if (prompts[index]?.text !== result.prompt) {
      throw refusal(path, number, `answers another prompt ${index} than the file of prompts has`)
    }
    if (kept.has(index)) throw refusal(path, number, `answers prompt ${index} once more`)
    kept.set(index, { start, length: bytes.length + 1, status })
    end = start + bytes.length + (isEnded ? 1 : 0)
    if (!isEnded) return { kept, end, broken: 'no line break' }
  }
  return { kept, end, broken: null }
}

/** The beginning of one of our lines; after a crash of the machine, zeros may stand for what did not reach the disk. */
function isCutShort(text: string): boolean {
  const written = text.replace(/\0+$/, '')
  return written.startsWith(BEGINNING) || BEGINNING.startsWith(written)
}

function refusal(path: string, line: number, why: string): UsageError {
  return new UsageError(
    `${path}, line ${line} ${why}. Results are only added to those of the same prompts: give another --output, or remove the file.`,
  )
}
