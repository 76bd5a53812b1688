/** docs/api says what the public types and their comments say; `UPDATE_DOCS=1` writes it anew. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Application } from 'typedoc'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const PAGES = join(ROOT, 'docs', 'api')

/** What TypeDoc and its Markdown theme make of the entry points that are stable. */
async function print(folder: string): Promise<void> {
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    entryPoints: ['engine', 'server', 'tokenizer'].map((name) => join(ROOT, name, 'index.ts')),
    tsconfig: join(ROOT, 'tsconfig.json'),
    readme: 'none',
    excludePrivate: true,
    disableSources: true,
    validation: false,
    logLevel: 'Error',
    outputs: [{ name: 'markdown', path: folder }],
    ...THEME,
  })
  const project = await app.convert()
  if (!project) throw new Error('TypeDoc could not read the sources.')
  await app.generateOutputs(project)
}

/** The theme's own options, which TypeDoc's types do not know. */
const THEME: object = {
  router: 'module',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  typeAliasPropertiesFormat: 'table',
}

test('docs/api is what the sources say', { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'illuminator-api-'))
  await print(folder)
  if (process.env.UPDATE_DOCS === '1') {
    rmSync(PAGES, { recursive: true, force: true })
    cpSync(folder, PAGES, { recursive: true })
  }
  const names = readdirSync(folder).sort()
  expect(names).toEqual(['README.md', 'engine.md', 'server.md', 'tokenizer.md'])
  const stale = 'docs/api is stale: UPDATE_DOCS=1 npm test -- test/api-reference'
  for (const name of names) {
    expect(readFileSync(join(PAGES, name), 'utf8'), stale).toBe(
      readFileSync(join(folder, name), 'utf8'),
    )
  }
  rmSync(folder, { recursive: true })
})
