/** An example of a request as a curl line: what the schema requires, with plausible values. */
import {
  type Media,
  type OpenApiDocument,
  type Operation,
  resolved,
  type Schema,
} from './document.ts'

/** What reads better than a value made up from the type. */
const PLAUSIBLE: Readonly<Record<string, unknown>> = {
  prompt: 'Once upon a time',
  text: 'Hello, world!',
  tokens: [19556, 28, 905, 17],
  messages: [{ role: 'user', content: 'Why is the sky blue?' }],
  grant_type: 'client_credentials',
}

/** An example of a value; of an object its required members. */
export function exampleOf(document: OpenApiDocument, given: Schema, name = ''): unknown {
  const schema = resolved(document, given)
  if (Object.hasOwn(PLAUSIBLE, name)) return PLAUSIBLE[name]
  for (const known of [schema.example, schema.const, schema.default, schema.enum?.[0]]) {
    if (known !== undefined) return known
  }
  const choice = (schema.anyOf ?? schema.oneOf ?? schema.allOf)?.[0]
  if (choice) return exampleOf(document, choice, name)
  const type = typeof schema.type === 'string' ? schema.type : schema.type?.[0]
  if (type === 'array') return schema.items ? [exampleOf(document, schema.items)] : []
  if (type === 'object') {
    const members = (schema.required ?? []).map((key): [string, unknown] => {
      return [key, exampleOf(document, schema.properties?.[key] ?? {}, key)]
    })
    return Object.fromEntries(members)
  }
  if (type === 'boolean') return true
  if (type === 'integer' || type === 'number') return Math.max(1, schema.minimum ?? 1)
  return type === 'string' ? name || 'text' : null
}

/** @param base URL of the server */
export function curlOf(
  document: OpenApiDocument,
  base: string,
  path: string,
  method: string,
  { requestBody, responses }: Operation,
): string {
  const content = Object.entries(requestBody?.content ?? {})[0]
  const streams = responses['200']?.content?.['text/event-stream'] !== undefined
  const start = `curl ${streams ? '-N ' : ''}`
  const url = `${base}${path.replace(/\{(\w+)\}/g, (_, name: string) => `$${name.toUpperCase()}`)}`
  if (content) return [`${start}'${url}'`, ...bodyOf(document, ...content, streams)].join(' \\\n  ')
  const verb = method === 'get' ? '' : `-X ${method.toUpperCase()} `
  // In double quotes the shell fills in what stands for an id.
  return `${start}${verb}${url.includes('$') ? `"${url}"` : url}`
}

function bodyOf(
  document: OpenApiDocument,
  type: string,
  { schema = {} }: Media,
  streams: boolean,
): string[] {
  const body = exampleOf(document, schema)
  if (type === 'application/json') {
    const whole = streams ? { ...(body as object), stream: true } : body
    return [`-H 'content-type: application/json'`, `-d ${quoted(JSON.stringify(whole))}`]
  }
  const { properties = {} } = resolved(document, schema)
  const fields = Object.entries(body as Record<string, unknown>)
  if (type === 'multipart/form-data') {
    return fields.map(([name, value]) => {
      const isFile = properties[name]?.format === 'binary' || name === 'file'
      return `-F ${quoted(`${name}=${isFile ? '@file.jsonl' : String(value)}`)}`
    })
  }
  return fields.map(([name, value]) => `-d ${quoted(`${name}=${String(value)}`)}`)
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
