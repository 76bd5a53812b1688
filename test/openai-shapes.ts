/**
 * Holds what our `/v1` says against OpenAI's published schemas (`openai-schemas/`), in which no field may be invented.
 * The readers of answers in `server-app.ts` ask here, so every test that reads a body or a stream checks it.
 */
import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

interface Schema {
  properties: Record<string, unknown>
}
interface Document {
  $defs: Record<string, Schema>
}

/** Fields beyond OpenAI's: the rulings want them, and clients pass over them. */
const RULED: Readonly<Record<string, readonly string[]>> = {
  // The contract's shape of an error always has it.
  Error: ['request_id'],
  // One body serves both dialects.
  ListModelsResponse: ['models'],
}

/**
 * The document has one schema for a completion and its chunks, and so no `finish_reason: null` before the end (the
 * service sends it, and a client would take any other value for the end), nor `usage: null`, which its own text on
 * `stream_options.include_usage` promises in every chunk but the last.
 */
const CHUNK = 'CompletionChunk'
function completionChunk({ $defs }: Document): Schema {
  const chunk = structuredClone($defs.CreateCompletionResponse) as Schema & {
    properties: { choices: { items: Schema } }
  }
  const allowNull = (schema: Schema, field: string) => {
    schema.properties[field] = { anyOf: [schema.properties[field], { type: 'null' }] }
  }
  allowNull(chunk.properties.choices.items, 'finish_reason')
  allowNull(chunk, 'usage')
  return chunk
}

interface Row {
  path: RegExp
  method?: 'GET' | 'POST' | 'DELETE'
  body: string
  chunk?: string
}

/** Which schema an answer of a path has. */
const SCHEMAS: readonly Row[] = [
  {
    path: /^\/v1\/chat\/completions$/,
    body: 'CreateChatCompletionResponse',
    chunk: 'CreateChatCompletionStreamResponse',
  },
  {
    path: /^\/v1\/completions$/,
    body: 'CreateCompletionResponse',
    chunk: CHUNK,
  },
  { path: /^\/v1\/models$/, body: 'ListModelsResponse' },
  { path: /^\/v1\/models\/.+/, body: 'Model' },
  { path: /^\/v1\/files$/, method: 'GET', body: 'ListFilesResponse' },
  { path: /^\/v1\/files\/[^/]+$/, method: 'DELETE', body: 'DeleteFileResponse' },
  { path: /^\/v1\/files(\/[^/]+)?$/, body: 'OpenAIFile' },
  { path: /^\/v1\/batches$/, method: 'GET', body: 'ListBatchesResponse' },
  { path: /^\/v1\/batches(\/.+)?$/, body: 'Batch' },
]

const ajv = openAiSchemas()

function openAiSchemas(): Ajv2020 {
  const file = new URL('openai-schemas/responses.json', import.meta.url)
  const document = JSON.parse(readFileSync(file, 'utf8')) as Document
  for (const [name, fields] of Object.entries(RULED)) {
    const { properties } = document.$defs[name] ?? { properties: {} }
    for (const field of fields) properties[field] = true
  }
  document.$defs[CHUNK] = completionChunk(document)
  const compiler = new Ajv2020({ allErrors: true, allowUnionTypes: true })
  addFormats.default(compiler)
  return compiler.addSchema(document)
}

/** Why a value is not what OpenAI's schema of this name wants; empty when it is. */
function openAiFaults(name: string, value: unknown): string[] {
  const check: ValidateFunction | undefined = ajv.getSchema(`openai.json#/$defs/${name}`)
  if (!check) throw new TypeError(`openai-schemas/responses.json has no ${name}.`)
  if (check(value)) return []
  return (check.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  )
}

/** What an answer is to; of one that came over a socket the method is not known. */
export interface Asked {
  method?: string
  path: string
}

/**
 * Checks a body or the payload of a frame.
 * @throws Error that says what is not OpenAI's, or that a path of OpenAI's has no schema here
 */
export function checkOpenAiShape(
  { method, path }: Asked,
  kind: 'body' | 'chunk',
  value: unknown,
): void {
  if (!path.startsWith('/v1/')) return
  const isError = typeof value === 'object' && value !== null && 'error' in value
  const row = SCHEMAS.find(
    (one) => one.path.test(path) && (one.method === undefined || one.method === method),
  )
  const name = isError ? 'ErrorResponse' : row?.[kind]
  if (name === undefined) {
    throw new Error(`openai-shapes.ts knows no schema of a ${kind} of ${path}; add it.`)
  }
  const faults = openAiFaults(name, value)
  if (faults.length === 0) return
  throw new Error(`${path}: not OpenAI's ${name}: ${faults.join('; ')} in ${JSON.stringify(value)}`)
}
