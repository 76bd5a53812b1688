/** The reference page says all that the document says, loads nothing from elsewhere, and its examples work. */
import { createHash } from 'node:crypto'
import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect, test } from 'vitest'
import { testApp } from '../../test/server-app.ts'
import { openApiDocument } from '../contract/openapi.ts'
import type { OpenApiDocument } from './document.ts'
import { exampleOf } from './example.ts'
import { fieldsOf } from './fields.ts'
import { referencePage } from './page.ts'

const DOCUMENT = openApiDocument('1.2.3') as OpenApiDocument
const OPERATIONS = Object.entries(DOCUMENT.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

async function page() {
  const response = await testApp().app.request('http://localhost:8000/docs')
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toMatch(/^text\/html/)
  return { text: await response.text(), headers: response.headers }
}

test('every operation, parameter and schema is on the page, and every link on it leads somewhere', async () => {
  const { text } = await page()
  for (const { path } of OPERATIONS) expect(text).toContain(`</i> ${path}</h2>`)
  for (const [name, schema] of Object.entries(DOCUMENT.components.schemas ?? {})) {
    expect(text).toContain(`<section id="${name}">`)
    for (const field of fieldsOf(schema)) expect(text).toContain(`<code>${field.name}</code>`)
  }
  const ids = new Set([...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))
  const targets = [...text.matchAll(/href="#([^"]+)"/g)].map(([, target]) => target)
  expect(targets.length).toBeGreaterThan(40)
  expect(targets.filter((target) => !ids.has(target))).toEqual([])
})

test('nothing runs, and nothing is loaded: the policy allows one style, by its hash', async () => {
  const { text, headers } = await page()
  const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(text) ?? []
  const hash = createHash('sha256').update(style).digest('base64')
  expect(headers.get('content-security-policy')).toBe(
    `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  )
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(text).not.toMatch(/<script|<link|<img|<iframe| style=| on\w+=|@import|url\(/i)
  expect(text).not.toMatch(/(src|href)="(https?:)?\/\//)
})

test('what the document says is text, never markup', async () => {
  const evil = '<img src=x onerror=alert(1)>"\'&'
  const document: OpenApiDocument = {
    info: { title: evil, version: evil },
    paths: { [`/${evil}`]: { get: { summary: evil, responses: { 200: { description: evil } } } } },
    components: {
      schemas: { Evil: { description: evil, properties: { [evil]: { enum: [evil] } } } },
    },
  }
  const text = String(await referencePage(document, `http://${evil}`))
  expect(text).not.toContain('<img')
  expect(text).toContain('&lt;img src=x')
})

const BODIES = OPERATIONS.flatMap(({ path, operation }) => {
  const schema = operation.requestBody?.content['application/json']?.schema
  return schema ? [{ path, schema }] : []
})

test.each(BODIES)('the example for $path is what its schema asks for', ({ path, schema }) => {
  const ajv = new Ajv2020.default({ strict: false })
  addFormats.default(ajv)
  const validate = ajv.compile({ ...schema, components: DOCUMENT.components })
  const body = exampleOf(DOCUMENT, schema)
  expect(validate(body), `${path} ${JSON.stringify(body)} ${JSON.stringify(validate.errors)}`).toBe(
    true,
  )
})

test('the examples for what generates are answered', async () => {
  const { post } = testApp()
  const generating = BODIES.filter(({ path }) => /generate|completions|tokenize/.test(path))
  expect(generating.length).toBeGreaterThanOrEqual(6)
  for (const { path, schema } of generating) {
    expect((await post(path, exampleOf(DOCUMENT, schema))).status, path).toBe(200)
  }
})

test('an example is a curl line for a shell', async () => {
  const { text } = await page()
  expect(text).toContain(
    'curl -N &#39;http://localhost:8000/generate&#39; \\\n  -H &#39;content-type: application/json&#39; \\\n' +
      '  -d &#39;{&quot;prompt&quot;:&quot;Once upon a time&quot;,&quot;stream&quot;:true}&#39;',
  )
  expect(text).toContain('curl http://localhost:8000/health</pre>')
  expect(text).toContain('curl &quot;http://localhost:8000/v1/models/$ID&quot;</pre>')
})
