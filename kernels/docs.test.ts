/** `docs/kernels.md` says what the registry says; `UPDATE_DOCS=1` writes it anew. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { kernelsPage } from '../test/print-kernels.ts'

const PAGE = new URL('../docs/kernels.md', import.meta.url)

test('docs/kernels.md is what the registry prints', () => {
  const page = kernelsPage()
  if (process.env.UPDATE_DOCS === '1') writeFileSync(PAGE, page)
  const stale = 'docs/kernels.md is stale: UPDATE_DOCS=1 npm test -- kernels/docs'
  expect(readFileSync(PAGE, 'utf8'), stale).toBe(page)
})
