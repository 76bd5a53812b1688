/** Makers of requests that nobody would send: valid ones with members, bytes, headers and paths changed. */
import fc from 'fast-check'
import { OPERATIONS } from '../server/contract/openapi.ts'

const messages = [{ role: 'user', content: 'x' }]
const BODIES: readonly Record<string, unknown>[] = [
  { prompt: 'x', max_tokens: 5, temperature: 0.5, stop_sequences: ['.'], stream: true },
  {
    messages,
    max_tokens: 5,
    n: 2,
    logprobs: true,
    top_logprobs: 2,
    stream_options: {},
    stream: true,
  },
  { prompt: ['x', 'y'], max_tokens: 5, logit_bias: { 5: 1 }, stop: 'x', seed: 1 },
  { text: 'x' },
  { tokens: [1, 2, 3] },
  { name: 'x', prompts: [{ prompt: 'x', max_tokens: 1 }], default_params: { top_p: 1 } },
]
const EXTREMES = [
  -1,
  0,
  1,
  129,
  2 ** 31,
  2 ** 53,
  1e308,
  -0.5,
  '1',
  '',
  null,
  true,
  [],
  {},
  [[]],
  '\u0000',
  '\ud800',
]
const NAMES = [
  ...new Set(BODIES.flatMap((body) => Object.keys(body))),
  '__proto__',
  'constructor',
  'model',
  'user',
  'tools',
]

export const strange = fc.oneof(fc.constantFrom(...EXTREMES), fc.jsonValue({ maxDepth: 3 }))
export const body = fc
  .tuple(
    fc.constantFrom(...BODIES),
    fc.array(fc.tuple(fc.constantFrom(...NAMES), strange), { maxLength: 3 }),
  )
  .map(([base, changes]) =>
    JSON.stringify(Object.fromEntries([...Object.entries(base), ...changes])),
  )

/** Bytes of a text with some taken out, put in, or doubled. */
export const mutated = (base: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      base,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 40 }), fc.uint8Array({ maxLength: 12 })), {
        maxLength: 4,
      }),
    )
    .map(([bytes, edits]) =>
      edits.reduce((now, [at, length, put], i) => {
        const from = now.length === 0 ? 0 : at % now.length
        const again = i % 3 === 2 ? now.subarray(from, from + length) : put
        return Buffer.concat([now.subarray(0, from), again, now.subarray(from + (i % 2) * length)])
      }, bytes),
    )

export const PATHS = [
  ...OPERATIONS.map(({ path }) => path.replace(/\{\w+\}/g, 'x')),
  '/ws',
  '/metrics',
  '/docs',
  '/nowhere',
]
export const path = fc
  .tuple(
    fc.constantFrom(...PATHS),
    fc.constantFrom('', '/', '//', '?x=1', '%2f', '%', '%00', '/..', ';x', '#'),
  )
  .map(([start, end]) => start + end)
export const method = fc.constantFrom(
  'GET',
  'POST',
  'POST',
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
)
const HEADERS = [
  'authorization',
  'content-type',
  'content-length',
  'origin',
  'host',
  'x-request-id',
  'x-api-key',
  'accept',
  'expect',
  'range',
]
export const headers = fc.dictionary(
  fc.constantFrom(...HEADERS),
  fc.oneof(
    fc.string(),
    fc.constantFrom('Bearer x', 'Basic eDp4', 'null', '*', '-1', 'bytes=0-', '100-continue'),
  ),
  { maxKeys: 4 },
)
