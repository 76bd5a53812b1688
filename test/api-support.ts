/**
 * What shows that each parameter of the generating endpoints is honoured: what to send, and what must come of it. The
 * tests of `server/api-support.test.ts` run it, and `docs/api-support.md` is printed from it; a parameter of a schema
 * without a proof fails there.
 */
import type { z } from '@hono/zod-openapi'
import { expect } from 'vitest'
import type { ChatOptions } from '../engine/api.ts'
import { chatRequest } from '../server/contract/chat.ts'
import { completionRequest } from '../server/contract/completions.ts'
import { generateRequest } from '../server/contract/generate.ts'
import { FIRST_WORD } from '../server/fake-engine.ts'
import { fieldsOf, type RequestField } from './request-fields.ts'

/** What came of a request to a fake engine that says "a", "b", "c". */
export interface Outcome {
  readonly prompt: unknown
  readonly options: ChatOptions
  /** JSON, or the payloads of the frames. */
  readonly body: unknown
}

export interface Proof {
  /** Ends the sentence "`parameter` …". */
  readonly shows: string
  readonly send: object
  readonly check: (outcome: Outcome) => void
}

export type Proofs = Readonly<Record<string, Proof>>

export interface Endpoint {
  /** One schema may serve several. */
  readonly paths: readonly string[]
  readonly schema: z.ZodType
  /** The least that it takes. */
  readonly body: object
  readonly proofs: Proofs
}

/** The value of a parameter that the engine gets under another name. */
function option(send: object, expected: ChatOptions): Proof {
  const names = Object.keys(expected).join(' and ')
  return {
    shows: `reaches the engine as ${names}`,
    send,
    check: ({ options }) => expect(options).toMatchObject(expected),
  }
}

const bodyHas = (shows: string, send: object, expected: unknown): Proof => ({
  shows,
  send,
  check: ({ body }) => expect(body).toMatchObject(expected as object),
})

const promptIs = (shows: string, send: object, expected: unknown): Proof => ({
  shows,
  send,
  check: ({ prompt }) => expect(prompt).toEqual(expected),
})

const SAMPLING: Proofs = {
  model: bodyHas('may be an alias', { model: 'tiny' }, {}),
  max_tokens: option({ max_tokens: 2 }, { maxTokens: 2 }),
  temperature: option({ temperature: 0.3 }, { temperature: 0.3 }),
  top_p: option({ top_p: 0.4 }, { topP: 0.4 }),
  top_k: option({ top_k: 7 }, { topK: 7 }),
  min_p: option({ min_p: 0.05 }, { minP: 0.05 }),
  typical_p: option({ typical_p: 0.9 }, { typicalP: 0.9 }),
  repetition_penalty: option({ repetition_penalty: 1.1 }, { repetitionPenalty: 1.1 }),
  presence_penalty: option({ presence_penalty: -1 }, { presencePenalty: -1 }),
  frequency_penalty: option({ frequency_penalty: 1 }, { frequencyPenalty: 1 }),
  logit_bias: option({ logit_bias: { [FIRST_WORD]: -100 } }, { logitBias: { [FIRST_WORD]: -100 } }),
  seed: option({ seed: 42 }, { seed: 42 }),
  stop_token_ids: option({ stop_token_ids: [5] }, { stopTokenIds: [5] }),
  ignore_eos: option({ ignore_eos: true, max_tokens: 4 }, { ignoreEos: true }),
  priority: option({ priority: 'batch' }, { priority: 'batch' }),
  cache_salt: option({ cache_salt: 'ann' }, { cacheSalt: 'ann' }),
  stream: {
    shows: 'answers with frames and [DONE]',
    send: { stream: true },
    check: ({ body }) => expect((body as unknown[]).at(-1)).toBe('[DONE]'),
  },
}

/** Of both of OpenAI's endpoints. */
const OPENAI: Proofs = {
  stop: option({ stop: 'c' }, { stop: ['c'] }),
  n: bodyHas('gives as many choices', { n: 2 }, { choices: [{ index: 0 }, { index: 1 }] }),
  stream_options: {
    shows: 'is taken with what it holds',
    send: { stream: true, stream_options: {} },
    check: ({ body }) => expect((body as unknown[]).at(-1)).toBe('[DONE]'),
  },
  'stream_options.include_usage': {
    shows: 'sends a last chunk with the usage',
    send: { stream: true, stream_options: { include_usage: true } },
    check: ({ body }) =>
      expect((body as unknown[]).at(-2)).toMatchObject({
        choices: [],
        usage: { completion_tokens: 3 },
      }),
  },
}

const PARTS = [
  { type: 'text', text: 'One' },
  { type: 'text', text: 'two' },
]
const said = (content: unknown) => ({ messages: [{ role: 'user', content }] })

const CHAT: Proofs = {
  ...SAMPLING,
  ...OPENAI,
  messages: promptIs('are the conversation', said('Hi'), [{ role: 'user', content: 'Hi' }]),
  'messages[].role': promptIs(
    'reaches the chat template, developer as system',
    { messages: [{ role: 'developer', content: 'Hi' }] },
    [{ role: 'system', content: 'Hi' }],
  ),
  'messages[].content': promptIs('may be a text', said('Hi'), [{ role: 'user', content: 'Hi' }]),
  'messages[].content[].type': promptIs('is text, of every part', said(PARTS), [
    { role: 'user', content: 'One\ntwo' },
  ]),
  'messages[].content[].text': promptIs('is joined to the other parts by a line', said(PARTS), [
    { role: 'user', content: 'One\ntwo' },
  ]),
  'messages[].name': promptIs(
    'reaches the chat template',
    { messages: [{ role: 'user', content: 'Hi', name: 'ann' }] },
    [{ role: 'user', content: 'Hi', name: 'ann' }],
  ),
  chat_template_kwargs: option(
    { chat_template_kwargs: { enable_thinking: false } },
    { templateVariables: { enable_thinking: false } },
  ),
  max_completion_tokens: option({ max_completion_tokens: 2 }, { maxTokens: 2 }),
  logprobs: bodyHas(
    'tells every token’s',
    { logprobs: true },
    { choices: [{ logprobs: { content: [{ token: 'a' }, { token: 'b' }, { token: 'c' }] } }] },
  ),
  top_logprobs: {
    shows: 'tells as many alternatives',
    send: { logprobs: true, top_logprobs: 2 },
    check: ({ body }) => {
      expect(body).toHaveProperty('choices[0].logprobs.content[0].top_logprobs.length', 2)
    },
  },
}

const COMPLETIONS: Proofs = {
  ...SAMPLING,
  ...OPENAI,
  prompt: bodyHas(
    'may be several, each answered by itself',
    { prompt: [[1], [2, 3]] },
    { choices: [{ index: 0 }, { index: 1 }], usage: { prompt_tokens: 3 } },
  ),
  best_of: bodyHas('may be what n is', { n: 2, best_of: 2 }, { choices: [{}, {}] }),
}

const GENERATE: Proofs = {
  ...SAMPLING,
  prompt: promptIs('is continued', { prompt: 'Hello' }, 'Hello'),
  stop_sequences: option({ stop_sequences: ['c'] }, { stop: ['c'] }),
  return_full_text: bodyHas(
    'puts the prompt before the answer',
    { return_full_text: true },
    { generated_text: 'Helloabc' },
  ),
}

export const ENDPOINTS: readonly Endpoint[] = [
  {
    paths: ['/v1/chat/completions', '/chat/completions'],
    schema: chatRequest,
    body: { messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }] },
    proofs: CHAT,
  },
  {
    paths: ['/v1/completions'],
    schema: completionRequest,
    body: { prompt: 'Hello' },
    proofs: COMPLETIONS,
  },
  { paths: ['/generate'], schema: generateRequest, body: { prompt: 'Hello' }, proofs: GENERATE },
]

/** The test of a parameter: its name in the report, and its place in the matrix. */
export function proofTitle({ path, support }: RequestField, proofs: Proofs): string {
  if (support === 'refused') return `${path} is refused by name`
  if (support === 'dropped') return `${path} is taken and changes nothing`
  return `${path} ${proofs[path]?.shows ?? 'has no proof'}`
}

const STATUS = { honoured: 'honoured', dropped: 'accepted, no effect', refused: 'refused' }

/** `docs/api-support.md`. */
export function supportPage(): string {
  const sections = ENDPOINTS.map(({ paths, schema, proofs }) => {
    const rows = fieldsOf(schema).map((field) => {
      const note = field.support === 'honoured' ? field.description : field.why
      const cells = [`\`${field.path}\``, STATUS[field.support], note, proofTitle(field, proofs)]
      return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
    })
    return [
      `## ${paths.map((path) => `\`${path}\``).join(' and ')}`,
      '',
      '| Parameter | Support | What, or why not | Test |',
      '|---|---|---|---|',
      ...rows,
      '',
    ].join('\n')
  })
  return [
    '# Which parameters are honoured',
    '',
    'Printed from the request schemas (`UPDATE_DOCS=1 npm test -- server/api-support`). A parameter that is not listed is',
    'refused as unknown. Each line’s test is run by `server/api-support.test.ts` under that name; the column is printed from',
    'the same table. A refusal names the parameter: 422 at the root paths, 400 under `/v1`. A refused parameter may still be',
    'sent with the value that asks for nothing (`tools: []`, `echo: false`).',
    '',
    ...sections,
  ].join('\n')
}
