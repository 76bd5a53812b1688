/** The prompts of a batch: one a line of a text file, or an object of `POST /generate`'s parameters a line of JSONL. */
import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { GenerateOptions } from '../../engine/api.ts'
import type { PromptLine } from '../../server/index.ts'
import { UsageError } from '../exit.ts'

export interface Prompt {
  /** Its place in the file, from 0; blank lines do not count. */
  readonly index: number
  readonly text: string
  /** Answered with the prompt before the answer. */
  readonly returnFullText: boolean
  /** What its line asks for, beyond what holds for the whole batch. */
  readonly options: GenerateOptions
}

type ReadLine = (line: Uint8Array) => PromptLine

/**
 * Reads a file of prompts, or stdin for `-`.
 * @param jsonLine reads a line of JSONL; only loaded for such a file
 * @throws UsageError that names the line at fault: nothing is begun with a file that is wrong somewhere
 */
export async function readPrompts(
  path: string,
  stdin: Readable,
  jsonLine: () => Promise<ReadLine>,
): Promise<Prompt[]> {
  const bytes = path === '-' ? await gathered(stdin) : await fileBytes(path)
  const read = /\.(jsonl|ndjson)$/i.test(path) ? await jsonLine() : textLine
  const prompts: Prompt[] = []
  for (const { line, number } of linesOf(withoutMark(bytes))) {
    const { prompt: text, ...rest } = readAt(path, number, line, read)
    prompts.push({ index: prompts.length, text, ...rest })
  }
  if (prompts.length > 0) return prompts
  throw new UsageError(`${path === '-' ? 'stdin' : path} holds no prompt: one a line is expected.`)
}

function readAt(path: string, number: number, line: Uint8Array, read: ReadLine): PromptLine {
  const wrong = (why: string) => new UsageError(`${path}, line ${number}: ${why}`)
  if (!isUtf8(line)) throw wrong('it is not UTF-8.')
  try {
    return read(line)
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error))
  }
}

const textLine: ReadLine = (line) => ({
  prompt: Buffer.from(line).toString('utf8').replace(/\r$/, ''),
  returnFullText: false,
  options: {},
})

async function fileBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new UsageError(`The prompts cannot be read: ${why}`)
  }
}

async function gathered(stdin: Readable): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

const withoutMark = (bytes: Uint8Array): Uint8Array =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes

const LINE_END = 0x0a

/** Lines with their numbers from 1, without those of white space only. */
function* linesOf(content: Uint8Array): Generator<{ line: Uint8Array; number: number }> {
  for (let start = 0, number = 1; start < content.length; number++) {
    const found = content.indexOf(LINE_END, start)
    const end = found < 0 ? content.length : found
    const line = content.subarray(start, end)
    if (line.some((byte) => byte > 0x20)) yield { line, number }
    start = end + 1
  }
}
