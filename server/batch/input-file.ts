/** Lines of an input file in OpenAI's batch format: prompts, or what is wrong with each line. */

import { ApiError, toHttpError } from '../contract/errors.ts'
import { batchLine, MAX_LINES } from '../contract/files.ts'
import { parseJson, validate } from '../contract/parse.ts'
import type { LineError, NewItem } from './job.ts'

/** Further ones say nothing new. */
const MOST_ERRORS = 100

export interface InputFile {
  readonly items: readonly NewItem[]
  readonly errors: readonly LineError[]
}

/** @param endpoint which every line must name */
export function readInputFile(content: Uint8Array, endpoint: string): InputFile {
  const items: NewItem[] = []
  const errors: LineError[] = []
  const seen = new Set<string>()
  let number = 0
  for (const line of linesOf(content)) {
    number++
    if (errors.length >= MOST_ERRORS) break
    try {
      if (number > MAX_LINES) {
        throw new ApiError('bad_request', `A batch holds at most ${MAX_LINES} lines.`)
      }
      items.push(itemOf(line, endpoint, seen))
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      const { code, message, param } = toHttpError(error, 'openai', '').body.error
      errors.push({ code, message, param, line: number })
      if (number > MAX_LINES) break
    }
  }
  if (number === 0) {
    errors.push({ code: 'empty_file', message: 'The file holds no line.', param: null, line: null })
  }
  return { items, errors }
}

function itemOf(line: Uint8Array, endpoint: string, seen: Set<string>): NewItem {
  const { custom_id, url, body } = validate(batchLine, parseJson(line, 'The line'))
  if (url !== endpoint) {
    throw new ApiError(
      'bad_request',
      `The parameter 'url' is '${url.slice(0, 100)}', but the batch is for ${endpoint}.`,
      'url',
    )
  }
  if (body.stream === true) {
    throw new ApiError('bad_request', "The parameter 'body.stream' must not be set.", 'body.stream')
  }
  if (seen.has(custom_id)) {
    throw new ApiError(
      'bad_request',
      `The parameter 'custom_id' is '${custom_id.slice(0, 100)}', as in an earlier line.`,
      'custom_id',
    )
  }
  seen.add(custom_id)
  return { customId: custom_id, body }
}

const LINE_END = 0x0a

/** Without those of white space only. */
function* linesOf(content: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < content.length; ) {
    const found = content.indexOf(LINE_END, start)
    const end = found < 0 ? content.length : found
    const line = content.subarray(start, end)
    if (line.some((byte) => byte > 0x20)) yield line
    start = end + 1
  }
}
