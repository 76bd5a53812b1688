/** `POST /chat/completions` and `/v1/chat/completions`: a conversation answered, in OpenAI's shapes. */
import { z } from '@hono/zod-openapi'
import type { ChatMessage, ChatOptions } from '../../engine/api.ts'
import {
  choices,
  dropped,
  droppedFields,
  flag,
  notServed,
  samplingFields,
  stopOneOrMany,
  streamOptions,
  whole,
} from './fields.ts'
import { MAX_TOP_LOGPROBS, tokenLogprobs } from './logprobs.ts'
import { finishReason, usageSchema } from './usage.ts'

const MAX_MESSAGES = 4096
const MAX_VARIABLES = 64

const textPart = z.strictObject({
  type: z.literal('text').describe('Only text: images, audio and files are not served.'),
  text: z.string().describe('Parts are joined by a line break.'),
  cache_control: droppedFields.cache_control,
  prompt_cache_breakpoint: dropped('a hint for caching'),
})

const message = z.strictObject(
  {
    role: z
      .enum(['system', 'developer', 'user', 'assistant'], {
        error: 'must be one of system, developer, user, assistant',
      })
      .describe('developer is OpenAI’s newer word for system.'),
    content: z
      .union([z.string(), z.array(textPart), z.null()], {
        error:
          'must be a string, or an array of parts {"type": "text", "text": …}; images, audio and files are not supported',
      })
      .optional()
      .describe('A text, or parts of one; an assistant’s may be absent.'),
    name: z
      .string({ error: 'must be a string' })
      .max(256, { error: 'is too long' })
      .nullish()
      .describe('Who speaks, where the model’s chat template has a place for it.'),
    // What OpenAI's clients send back when a program appends an answer to its messages.
    refusal: notServed('refusals in messages'),
    annotations: notServed('annotations in messages', []),
    audio: notServed('audio in messages'),
    function_call: notServed('function calls in messages'),
    tool_calls: notServed('tool calls in messages', []),
    cache_control: droppedFields.cache_control,
  },
  { error: 'must be an object with a role and a content' },
)

export const chatRequest = z
  .strictObject({
    ...samplingFields,
    ...droppedFields,
    messages: z
      .array(
        message.refine(
          (value) => value.role === 'assistant' || typeof value.content !== 'undefined',
          {
            path: ['content'],
            params: { code: 'missing_parameter' },
          },
        ),
        { error: 'must be an array of messages' },
      )
      .min(1, { error: 'must hold at least one message' })
      .max(MAX_MESSAGES, { error: `must hold at most ${MAX_MESSAGES} messages` })
      .describe('The conversation to go on with.'),
    max_completion_tokens: whole(1, 0x7fffffff, 'OpenAI’s newer name of max_tokens.'),
    stop: stopOneOrMany,
    stream_options: streamOptions,
    n: choices,
    chat_template_kwargs: z
      .record(z.string().max(64, { error: 'has a name that is too long' }), z.unknown(), {
        error: 'must be an object of variables',
      })
      .refine((variables) => Object.keys(variables).length <= MAX_VARIABLES, {
        error: `must hold at most ${MAX_VARIABLES} variables`,
      })
      .nullish()
      .describe('Further variables of the model’s chat template, such as enable_thinking.'),
    logprobs: flag('Tell each token’s log-probability, before penalties, bias and temperature.'),
    top_logprobs: whole(
      0,
      MAX_TOP_LOGPROBS,
      'With logprobs: the likeliest tokens to tell as well.',
    ),
    tools: notServed('tool calls', []),
    tool_choice: notServed('tool calls', 'none', 'auto'),
    parallel_tool_calls: notServed('tool calls', false, true),
    functions: notServed('function calls', []),
    function_call: notServed('function calls', 'none', 'auto'),
    response_format: notServed('only plain text is generated', { type: 'text' }),
    modalities: notServed('only text is generated', ['text']),
    audio: notServed('only text is generated'),
    moderation: notServed('moderation'),
    prediction: notServed('predicted outputs'),
    reasoning_effort: notServed('reasoning effort', 'none'),
    verbosity: notServed('verbosity', 'medium'),
    web_search_options: notServed('web search'),
  })
  .openapi('ChatRequest')

export type ChatRequest = z.output<typeof chatRequest>

export const chatResponse = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: z.number().int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.number().int(),
        message: z.object({
          role: z.literal('assistant'),
          content: z.string(),
          refusal: z.null(),
        }),
        logprobs: tokenLogprobs.nullable(),
        finish_reason: finishReason,
      }),
    ),
    usage: usageSchema,
  })
  .openapi('ChatResponse')

export type ChatResponse = z.infer<typeof chatResponse>

export const chatChunk = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion.chunk'),
    created: z.number().int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.number().int(),
        delta: z.object({
          role: z.literal('assistant').optional(),
          content: z.string().optional(),
        }),
        logprobs: tokenLogprobs.nullable(),
        finish_reason: finishReason.nullable(),
      }),
    ),
    usage: usageSchema.nullable().optional(),
  })
  .openapi('ChatChunk')

export type ChatChunk = z.infer<typeof chatChunk>

/** What of a conversation's options is about its template. */
export function templateOptions({ chat_template_kwargs: given }: ChatRequest): ChatOptions {
  return given ? { templateVariables: given } : {}
}

/**
 * The engine's form of the messages: text parts joined by a line break, `developer` (OpenAI's newer word) as `system`,
 * an answer without content as an empty one.
 */
export function chatMessages(messages: ChatRequest['messages']): ChatMessage[] {
  return messages.map(({ role, content, name }) => ({
    role: role === 'developer' ? 'system' : role,
    content:
      typeof content === 'string' ? content : (content ?? []).map((part) => part.text).join('\n'),
    ...(name ? { name } : {}),
  }))
}
