/**
 * The playground's files, as they are sent: pages that name their own version, and assets below `/playground/VERSION/`,
 * which never change and may be kept for good. All is read once; libraries come out of their packages as published.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Asset {
  readonly body: Uint8Array<ArrayBuffer>
  readonly type: string
  readonly etag: string
}

export interface Site {
  /** By path: `/`, `/status`. */
  readonly pages: ReadonlyMap<string, Asset>
  /** By what follows `/playground/`. */
  readonly assets: ReadonlyMap<string, Asset>
}

const PAGES: Readonly<Record<string, string>> = { '/': 'index.html', '/status': 'status.html' }

const require = createRequire(import.meta.url)

/** Files of libraries, by the name under which the page asks for them. */
const LIBRARIES: Readonly<Record<string, () => string>> = {
  'lib/markdown-it.js': () => require.resolve('markdown-it/dist/markdown-it.min.js'),
  // Resolved for a page, it would be the module beside.
  'lib/eventsource-parser.js': () => require.resolve('eventsource-parser').replace(/cjs$/, 'js'),
  'lib/uplot.js': () => require.resolve('uplot/dist/uPlot.iife.min.js'),
  'lib/uplot.css': () => require.resolve('uplot/dist/uPlot.min.css'),
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** What stands for the version in the pages' addresses. */
const VERSION = '/playground/VERSION/'

let site: Promise<Site> | undefined

/** Read by the first who asks. */
export function readSite(): Promise<Site> {
  site ??= load()
  return site
}

async function load(): Promise<Site> {
  const files = new Map([...(await ours()), ...(await libraries())])
  const hash = createHash('sha256')
  for (const [name, text] of files) hash.update(`${name}\0${text}\0`)
  const version = hash.digest('hex').slice(0, 16)
  const pages = Object.entries(PAGES).map(([path, name]) => {
    const text = files.get(name) ?? ''
    return [path, asset(name, text.replaceAll(VERSION, `/playground/${version}/`))] as const
  })
  const assets = [...files]
    .filter(([name]) => !name.endsWith('.html'))
    .map(([name, text]) => [`${version}/${name}`, asset(name, text)] as const)
  return { pages: new Map(pages), assets: new Map(assets) }
}

async function ours(): Promise<[string, string][]> {
  const folder = fileURLToPath(new URL('page/', import.meta.url))
  const names = (await readdir(folder)).filter((name) => extname(name) in TYPES).sort()
  return Promise.all(
    names.map(
      async (name): Promise<[string, string]> => [name, await readFile(join(folder, name), 'utf8')],
    ),
  )
}

function libraries(): Promise<[string, string][]> {
  return Promise.all(
    Object.entries(LIBRARIES).map(async ([name, find]): Promise<[string, string]> => {
      const text = await readFile(find(), 'utf8')
      // Its map is not served.
      return [name, text.replace(/\n\/\/# sourceMappingURL=\S+\s*$/, '\n')]
    }),
  )
}

function asset(name: string, text: string): Asset {
  const body = new Uint8Array(Buffer.from(text))
  const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`
  return { body, type: TYPES[extname(name)] ?? 'application/octet-stream', etag }
}
