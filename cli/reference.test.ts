/** `docs/cli-reference.md` is what the commands' help says; `UPDATE_DOCS=1` writes it anew. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { cliReference } from '../test/print-cli-reference.ts'

const PAGE = new URL('../docs/cli-reference.md', import.meta.url)

test('docs/cli-reference.md is what the help prints', async () => {
  const page = await cliReference()
  expect(page).toContain('## illuminator models info\n')
  if (process.env.UPDATE_DOCS === '1') writeFileSync(PAGE, page)
  const stale = 'docs/cli-reference.md is stale: UPDATE_DOCS=1 npm test -- cli/reference'
  expect(existsSync(PAGE) && readFileSync(PAGE, 'utf8'), stale).toBe(page)
})
