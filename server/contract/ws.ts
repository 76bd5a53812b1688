/** `/ws`: the messages of a client, and the frames that answer them. */
import { z } from '@hono/zod-openapi'
import { chatRequest } from './chat.ts'
import type { ErrorBody } from './errors.ts'
import { generateRequest } from './generate.ts'
import type { WireUsage } from './usage.ts'

/** Longest token: a JWT may be long, but not without end. */
const MAX_TOKEN = 8192

const id = z
  .union([z.string().min(1).max(128), z.number().int()], {
    error: 'must be a string of 1 to 128 characters, or an integer',
  })
  .optional()

/** The body goes through the endpoint's own schema: its errors name parameters as they do over HTTP. */
const data = z.record(z.string(), z.unknown(), {
  error: 'must be an object: the body of the same request over HTTP',
})

export const MESSAGES = {
  auth: z.strictObject({
    type: z.literal('auth'),
    token: z
      .string({ error: 'must be a string: an API key or an access token' })
      .min(1, { error: 'must not be empty' })
      .max(MAX_TOKEN, { error: `must be at most ${MAX_TOKEN} characters long` }),
  }),
  generate: z.strictObject({ type: z.literal('generate'), id, data }),
  chat: z.strictObject({ type: z.literal('chat'), id, data }),
  cancel: z.strictObject({ type: z.literal('cancel'), id }),
} as const

export type MessageType = keyof typeof MESSAGES

/** What names the type of a message, before the rest of it is looked at. */
export const envelope = z.looseObject({
  type: z.enum(['auth', 'generate', 'chat', 'cancel'] satisfies MessageType[], {
    error: 'must be one of auth, generate, chat, cancel',
  }),
})

/** Bodies of the messages that ask for an answer. */
export const BODIES = { generate: generateRequest, chat: chatRequest } as const

export type MessageId = z.output<typeof id>

interface Named {
  /** The message's own, when it had one. */
  id?: MessageId
}

export interface TokenFrame extends Named {
  type: 'token'
  data: { token: string; index: number }
}

export interface CompleteFrame extends Named {
  type: 'complete'
  data: { finish_reason: 'stop' | 'length'; usage: WireUsage; generated_text?: string }
}

/**
 * The contract's example prints `data.error`, so that is the message itself; beside it stands all that an error answer
 * over HTTP would have told.
 */
export interface ErrorFrame extends Named {
  type: 'error'
  data: ErrorBody['error'] & { error: string }
}

export type SocketFrame = TokenFrame | CompleteFrame | ErrorFrame

/** Why a socket was closed. */
export const CLOSE = {
  draining: 1001,
  binary: 1008,
  unauthenticated: 4401,
  idle: 4408,
} as const
