/** Makers of requests that nobody would send: valid ones with members, bytes, headers and paths changed. */
import fc from 'fast-check'
import { OPERATIONS } from '../server/contract/openapi.ts'

const messages = [{ role: 'user', content: 'x' }]
const GENERATE = {
  prompt: 'x',
  max_tokens: 5,
  temperature: 0.5,
  stop_sequences: ['.'],
  stream: true,
}
const CHAT = {
  messages,
  max_tokens: 5,
  n: 2,
  logprobs: true,
  top_logprobs: 2,
  stream_options: {},
  stream: true,
}
const COMPLETION = { prompt: ['x', 'y'], max_tokens: 5, logit_bias: { 5: 1 }, stop: 'x', seed: 1 }
const BATCH = { input_file_id: 'file-x', endpoint: '/v1/completions', completion_window: '24h' }
/** What each path takes. */
const BODY_OF: Readonly<Record<string, Record<string, unknown>>> = {
  '/generate': GENERATE,
  '/chat/completions': CHAT,
  '/v1/chat/completions': CHAT,
  '/v1/completions': COMPLETION,
  '/tokenize': { text: 'x' },
  '/detokenize': { tokens: [1, 2, 3] },
  '/batch/jobs': {
    name: 'x',
    prompts: [{ prompt: 'x', max_tokens: 1 }],
    default_params: { top_p: 1 },
  },
  '/v1/batches': BATCH,
}
const BODIES = Object.values(BODY_OF)
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
const changed = (base: fc.Arbitrary<Record<string, unknown>>): fc.Arbitrary<string> =>
  fc
    .tuple(base, fc.array(fc.tuple(fc.constantFrom(...NAMES), strange), { maxLength: 3 }))
    .map(([members, changes]) =>
      JSON.stringify(Object.fromEntries([...Object.entries(members), ...changes])),
    )
export const body = changed(fc.constantFrom(...BODIES))

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

const odd = fc.constantFrom('/', '//', '?x=1', '%2f', '%', '%00', '/..', ';x', '#')
const IDS = ['x', 'fake/tiny-1', 'fake%2Ftiny-1', 'job_1', '%', '__proto__', 'file-output-batch_x']
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH']
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
  'traceparent',
]
const FORM = 'application/x-www-form-urlencoded'
const PARTS = 'multipart/form-data; boundary=b'
const headers = fc.dictionary(
  fc.constantFrom(...HEADERS),
  fc.oneof(
    fc.string(),
    fc.constantFrom('Bearer x', 'Basic eDp4', 'Bearer eyJhbGciOiJub25lIn0.e30.', 'null', '*', '-1'),
    fc.constantFrom('bytes=0-', '100-continue', 'text/plain', FORM, PARTS),
  ),
  { maxKeys: 4 },
)

/** What the operations take that is no JSON. */
const OTHERS: Readonly<Record<string, readonly [type: string, text: string]>> = {
  '/oauth/token': [
    FORM,
    'grant_type=client_credentials&client_id=x&client_secret=y&scope=generate',
  ],
  '/v1/files': [
    PARTS,
    '--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\ncontent-disposition: ' +
      'form-data; name="file"; filename="x.jsonl"\r\n\r\n{"custom_id":"a"}\r\n--b--\r\n',
  ],
}

export interface StrangeRequest {
  readonly method: string
  readonly where: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Buffer
}

/** Mostly a request that is nearly right: its own method, path and type of body, with something changed in each. */
export const strangeRequest: fc.Arbitrary<StrangeRequest> = fc
  .constantFrom(...OPERATIONS)
  .chain(({ method, path }) => {
    const [type, text] = OTHERS[path] ?? ['application/json', null]
    const base = BODY_OF[path]
    const right =
      text === null
        ? changed(base ? fc.constant(base) : fc.constantFrom(...BODIES))
        : fc.constant(text)
    const plain = right.map((each) => Buffer.from(each))
    return fc
      .record({
        method: fc.oneof(
          { weight: 9, arbitrary: fc.constant(method.toUpperCase()) },
          { weight: 1, arbitrary: fc.constantFrom(...METHODS) },
        ),
        id: fc.constantFrom(...IDS),
        end: fc.oneof({ weight: 9, arbitrary: fc.constant('') }, { weight: 1, arbitrary: odd }),
        headers,
        bytes: fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: mutated(plain) }),
      })
      .map(({ id, end, ...rest }) => ({
        method: rest.method,
        where: path.replace(/\{\w+\}/g, id) + end,
        headers: { 'content-type': type, ...rest.headers },
        bytes: rest.bytes,
      }))
  })
