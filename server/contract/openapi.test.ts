/** The printed document against the routes that there are. */
import { expect, test } from 'vitest'
import { json, testApp } from '../../test/server-app.ts'
import { OPERATIONS } from './operations.ts'

/** What is served beside the API. */
const PAGES = ['/openapi.json', '/docs', '/metrics', '/ws', '/', '/status']

test('the OpenAPI document and the routes agree', async () => {
  const { app } = testApp()
  const listed = OPERATIONS.map(({ method, path }) => `${method} ${path}`)
  const routed = app.routes
    .filter(({ method, path }) => method !== 'ALL' && !PAGES.includes(path))
    .filter(({ path }) => !path.startsWith('/playground/'))
    .map(
      ({ method, path }) =>
        `${method.toLowerCase()} ${path.replace(/:(\w+)(\{[^}]*\})?/g, '{$1}')}`,
    )
  expect(routed.sort()).toEqual(listed.sort())
  const document = await json<{ openapi: string; paths: object }>(
    await app.request('/openapi.json'),
  )
  expect(document.openapi).toBe('3.1.0')
  expect(Object.keys(document.paths)).toContain('/v1/models/{id}')
})
