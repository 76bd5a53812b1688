/** The playground's files: what they say to caches and browsers, that none is missing, and that all together are light. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { testApp } from '../../test/server-app.ts'

const ORIGIN = 'http://localhost:8000'
const FOLDER = join(import.meta.dirname, 'page')
/** Of a page with all that it loads, as the issue has it. */
const MOST_BYTES = 300_000

const { app } = testApp()
const ask = (path: string, init?: RequestInit) => app.request(`${ORIGIN}${path}`, init)

async function pageOf(path: string) {
  const response = await ask(path)
  const text = await response.text()
  const links = [...text.matchAll(/(?:src|href)="(\/playground\/[^"]+)"/g)].map(([, link]) => link)
  return { response, text, links: [...new Set(links)] as string[] }
}

/** Everything that a page loads: what it links, and what its modules import. */
async function loadsOf(path: string): Promise<Map<string, number>> {
  const { text, links } = await pageOf(path)
  const sizes = new Map([[path, Buffer.byteLength(text)]])
  const queue = [...links]
  for (let link = queue.pop(); link !== undefined; link = queue.pop()) {
    if (sizes.has(link)) continue
    const response = await ask(link)
    expect(response.status, link).toBe(200)
    const source = await response.text()
    sizes.set(link, Buffer.byteLength(source))
    if (!link.endsWith('.js') || link.includes('/lib/')) continue
    for (const [, target = ''] of source.matchAll(/^import [^'"]*['"](\.\/[^'"]+)['"]/gm)) {
      queue.push(new URL(target, `${ORIGIN}${link}`).pathname)
    }
  }
  return sizes
}

describe.each(['/', '/status'])('%s', (path) => {
  test('is asked for each time, and sent only when it is new', async () => {
    const { response } = await pageOf(path)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-cache')
    const etag = response.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/)
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const again = await ask(path, { headers: { 'if-none-match': known } })
      expect([again.status, await again.text()]).toEqual([304, ''])
      expect(again.headers.get('etag')).toBe(etag)
    }
    expect((await ask(path, { headers: { 'if-none-match': '"other"' } })).status).toBe(200)
  })

  test('HEAD answers with the same head', async () => {
    const [get, head] = [await ask(path), await ask(path, { method: 'HEAD' })]
    expect([head.status, await head.text()]).toEqual([200, ''])
    for (const name of ['etag', 'content-type', 'content-security-policy', 'cache-control']) {
      expect(head.headers.get(name), name).toBe(get.headers.get(name))
    }
  })

  test('has a policy that lets in our own files and nothing else', async () => {
    const { response, text } = await pageOf(path)
    expect(response.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    )
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(response.headers.get('referrer-policy')).toBe('no-referrer')
    expect(text).not.toMatch(
      /<style| style=| on\w+=|<script(?![^>]* src=)|(?:src|href)="(?:https?:)?\/\//,
    )
  })

  test('with all that it loads it is light, and everything is there', async () => {
    const sizes = await loadsOf(path)
    expect(sizes.size).toBeGreaterThan(10)
    expect([...sizes.values()].reduce((sum, size) => sum + size)).toBeLessThan(MOST_BYTES)
  })
})

test('an asset may be kept for good, because another version has another address', async () => {
  const { links } = await pageOf('/')
  for (const link of links) {
    const response = await ask(link)
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(link).toMatch(/^\/playground\/[0-9a-f]{16}\//)
    const other = link.replace(/[0-9a-f]{16}/, '0'.repeat(16))
    expect((await ask(other)).status).toBe(404)
  }
  const types = new Map(links.map((link) => [link.slice(link.lastIndexOf('.')), link]))
  for (const [ending, type] of [
    ['.js', 'text/javascript; charset=utf-8'],
    ['.css', 'text/css; charset=utf-8'],
    ['.svg', 'image/svg+xml'],
  ] as const) {
    expect((await ask(types.get(ending) ?? '')).headers.get('content-type')).toBe(type)
  }
})

test('nothing but its own files is served', async () => {
  const { links } = await pageOf('/')
  const base = links[0]?.replace(/[^/]+$/, '') ?? ''
  for (const name of [
    '',
    'index.html',
    '../assets.ts',
    '..%2fassets.ts',
    '%00',
    'lib',
    'lib/',
    'nope.js',
  ]) {
    expect((await ask(base + name)).status, name).toBe(404)
  }
  expect((await ask('/', { method: 'POST' })).status).toBe(405)
})

test('every file of the page is used by one of them', async () => {
  const loaded = [...(await loadsOf('/')).keys(), ...(await loadsOf('/status')).keys()]
  const names = new Set(loaded.map((path) => path.split('/').slice(3).join('/')))
  const files = readdirSync(FOLDER).filter((name) => /\.(js|css|svg)$/.test(name))
  expect(files.filter((name) => !names.has(name))).toEqual([])
  expect(existsSync(join(FOLDER, 'main.js'))).toBe(true)
})

test('no text of the page is ever taken for markup or code', () => {
  const scripts = readdirSync(FOLDER).filter((name) => name.endsWith('.js'))
  const sinks =
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|\beval\b|new Function|setAttribute\(['"]on/
  expect(scripts.filter((name) => sinks.test(readFileSync(join(FOLDER, name), 'utf8')))).toEqual([])
})
