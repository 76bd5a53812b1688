/** A line of a file of prompts: what `POST /generate` takes, for those who run the model without asking a server. */
import type { GenerateOptions } from '../../engine/api.ts'
import { ApiError } from './errors.ts'
import { generateRequest } from './generate.ts'
import { parseJson, validate } from './parse.ts'
import { askedSampling } from './sampling.ts'

export interface PromptLine {
  readonly prompt: string
  /** Answer with prompt and continuation. */
  readonly returnFullText: boolean
  /** Only those that the line asks for. */
  readonly options: GenerateOptions
}

/** @throws ApiError for what is no JSON, and for a field that is wrong, unknown, or none of a single line's business */
export function readPromptLine(line: Uint8Array): PromptLine {
  const body = validate(generateRequest, parseJson(line, 'The line'), 'The line')
  for (const name of ['model', 'stream'] as const) {
    if (!body[name]) continue
    const message = `The parameter '${name}' is for the whole batch, not for a line of it.`
    throw new ApiError('bad_request', message, name)
  }
  return {
    prompt: body.prompt,
    returnFullText: body.return_full_text ?? false,
    options: askedSampling(body, body.stop_sequences ?? []),
  }
}
