/** The table of metrics in `docs/operations.md` says what is exposed; `UPDATE_DOCS=1` writes it anew. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Lifecycle } from '../lifecycle.ts'
import { Models } from '../models/models.ts'
import { Metrics } from './metrics.ts'

const PAGE = new URL('../../docs/operations.md', import.meta.url)
const [BEGIN, END] = [/<!-- metrics: .* -->\n/, '<!-- /metrics -->']

test('docs/operations.md lists every metric', async () => {
  const metrics = await new Metrics(new Lifecycle(new Models({}))).list()
  const rows = metrics.map(({ name, type, labels, help }) => {
    const braces = labels.length === 0 ? '' : `{${labels.join(', ')}}`
    return `| \`${name}${braces}\` | ${type} | ${help} |`
  })
  const table = ['| Metric | Kind | |', '|---|---|---|', ...rows, ''].join('\n')
  const page = readFileSync(PAGE, 'utf8')
  const [begin = ''] = BEGIN.exec(page) ?? []
  const start = page.indexOf(begin) + begin.length
  const end = page.indexOf(END)
  expect(begin).not.toBe('')
  if (process.env.UPDATE_DOCS === '1') {
    writeFileSync(PAGE, `${page.slice(0, start)}${table}${page.slice(end)}`)
  } else {
    const stale = 'docs/operations.md is stale: UPDATE_DOCS=1 npm test -- server/observe/docs'
    expect(page.slice(start, end), stale).toBe(table)
  }
})
