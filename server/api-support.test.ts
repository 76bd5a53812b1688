/**
 * Every parameter of the generating endpoints, found in their schemas: honoured, taken without effect, or refused by
 * name. `docs/api-support.md` says the same; `UPDATE_DOCS=1` writes it anew.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ENDPOINTS, type Outcome, proofTitle, supportPage } from '../test/api-support.ts'
import { fieldsOf, withField } from '../test/request-fields.ts'
import { frames, json, testApp, type WireError } from '../test/server-app.ts'
import { OPERATIONS } from './contract/openapi.ts'

const PAGE = new URL('../docs/api-support.md', import.meta.url)

async function outcomeOf(path: string, body: object): Promise<Outcome> {
  const { engine, post } = testApp({ words: ['a', 'b', 'c'] })
  const response = await post(path, body)
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream')
  const answer = isStream ? await frames(response) : await json(response)
  expect(response.status, JSON.stringify(answer)).toBe(200)
  const { prompt, options: { signal: _, ...options } = {} } = engine.calls[0] ?? {}
  return { prompt, options, body: answer }
}

describe.each(
  ENDPOINTS.flatMap(({ paths, ...endpoint }) => paths.map((path) => ({ path, ...endpoint }))),
)('$path', ({ path, schema, body, proofs }) => {
  for (const field of fieldsOf(schema)) {
    test(proofTitle(field, proofs), async () => {
      const something = withField(body, field.path, { asks: ['for something'] })
      if (field.support === 'honoured') {
        const proof = proofs[field.path]
        expect(proof, `say in test/api-support.ts what shows that it is honoured`).toBeDefined()
        proof?.check(await outcomeOf(path, { ...body, ...proof.send }))
      } else if (field.support === 'dropped') {
        const [without, taken] = [await outcomeOf(path, body), await outcomeOf(path, something)]
        expect(taken.prompt).toEqual(without.prompt)
        expect(taken.options).toEqual(without.options)
      } else {
        const response = await testApp().post(path, something)
        expect(response.status).toBe(path.startsWith('/v1/') ? 400 : 422)
        const param = field.path.replaceAll('[]', '[0]')
        const code = 'unsupported_parameter'
        expect((await json<WireError>(response)).error).toMatchObject({ code, param })
      }
    })
  }

  test('no proof is of a parameter that is gone', () => {
    const known = new Set(fieldsOf(schema).map((field) => field.path))
    expect(Object.keys(proofs).filter((parameter) => !known.has(parameter))).toEqual([])
  })
})

test('every endpoint that generates is in the matrix', () => {
  const generating = OPERATIONS.filter(({ frame }) => frame !== undefined)
  const listed = ENDPOINTS.flatMap(({ paths }) => paths)
  expect(generating.map(({ path }) => path).sort()).toEqual(listed.sort())
})

test('docs/api-support.md is what the schemas and the proofs print', () => {
  const page = supportPage()
  if (process.env.UPDATE_DOCS === '1') writeFileSync(PAGE, page)
  const stale = 'docs/api-support.md is stale: UPDATE_DOCS=1 npm test -- server/api-support'
  expect(readFileSync(PAGE, 'utf8'), stale).toBe(page)
})
