/** From the body of a message to work for the engine: what the same body would mean over HTTP, told in frames. */
import type { Caller } from '../auth/caller.ts'
import { type ChatRequest, chatMessages, templateOptions } from '../contract/chat.ts'
import { ApiError } from '../contract/errors.ts'
import { validate } from '../contract/parse.ts'
import type { ServedEngine } from '../contract/served-engine.ts'
import { BODIES } from '../contract/ws.ts'
import { maxTokens } from '../routes/chat.ts'
import type { Start } from '../routes/job.ts'
import { stopStrings } from '../routes/openai.ts'
import { askedOptions } from '../routes/options.ts'

export interface Plan {
  /** Absent: the usual one. */
  readonly model: string | null | undefined
  /** @throws ApiError for what this engine cannot be asked */
  readonly start: (engine: ServedEngine) => Start
  /** Text that goes before the first token (`return_full_text`). */
  readonly lead: string
  /** False where `stream: false` asks for the whole text at the end instead of tokens. */
  readonly streams: boolean
}

/** @throws ApiError as the routes would */
export function planOf(
  caller: Caller,
  type: 'generate' | 'chat',
  data: Record<string, unknown>,
): Plan {
  return type === 'generate' ? generatePlan(caller, data) : chatPlan(caller, data)
}

type Data = Record<string, unknown>

function generatePlan(caller: Caller, data: Data): Plan {
  const body = validate(BODIES.generate, data)
  return {
    model: body.model,
    start(engine) {
      const options = askedOptions(engine, caller, body, body.stop_sequences ?? [], 'contract')
      return (control) => engine.generate(body.prompt, { ...options, ...control })
    },
    lead: body.return_full_text ? body.prompt : '',
    streams: body.stream !== false,
  }
}

function chatPlan(caller: Caller, data: Data): Plan {
  const body = validate(BODIES.chat, data)
  refuseSeveral(body)
  const wire = { ...body, max_tokens: maxTokens(body) }
  const messages = chatMessages(body.messages)
  return {
    model: body.model,
    start(engine) {
      const options = {
        ...askedOptions(engine, caller, wire, stopStrings(body.stop), 'contract'),
        ...templateOptions(body),
      }
      return (control) => engine.chat(messages, { ...options, ...control })
    },
    lead: '',
    streams: body.stream !== false,
  }
}

/** A token frame has a token and its index: nothing in it could tell choices apart, or a log-probability. */
function refuseSeveral({ n, logprobs }: ChatRequest): void {
  if ((n ?? 1) > 1) {
    throw new ApiError(
      'unsupported_parameter',
      `The parameter 'n' must be 1 on a WebSocket; send a message for each answer.`,
      'n',
    )
  }
  if (logprobs) {
    throw new ApiError(
      'unsupported_parameter',
      `The parameter 'logprobs' is not supported on a WebSocket; POST /chat/completions tells them.`,
      'logprobs',
    )
  }
}
