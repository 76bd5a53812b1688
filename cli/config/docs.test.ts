/** `docs/configuration.md` says what the options say; `UPDATE_DOCS=1` writes it anew. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { configurationPage } from '../../test/print-configuration.ts'

const PAGE = new URL('../../docs/configuration.md', import.meta.url)

test('docs/configuration.md is what the options print', () => {
  const page = configurationPage()
  if (process.env.UPDATE_DOCS === '1') writeFileSync(PAGE, page)
  const stale = 'docs/configuration.md is stale: UPDATE_DOCS=1 npm test -- cli/config'
  expect(existsSync(PAGE) && readFileSync(PAGE, 'utf8'), stale).toBe(page)
})
