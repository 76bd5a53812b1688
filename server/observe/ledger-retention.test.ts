/** Entries that are old enough leave the ledger; everything that was counted stays counted. */
import { afterEach, expect, test, vi } from 'vitest'
import { ANYONE } from '../auth/caller.ts'
import { openState, type ServerState } from '../state.ts'
import { IN_MEMORY } from '../store/data-folder.ts'
import type { Answered } from './answered.ts'

const DAY = 86_400_000
const opened: ServerState[] = []
afterEach(async () => {
  for (const state of opened.splice(0)) await state.close()
  vi.useRealTimers()
})

async function kept(file: string, ledgerDays: number, now: () => number) {
  const log = (line: string) => logged.push(line)
  const logged: string[] = []
  const state = await openState({ file, log, now, ledgerDays })
  opened.push(state)
  const ids = async () => {
    await state.ledger.written()
    await state.retention?.settled()
    const { rows } = await state.database.execute('SELECT request_id FROM ledger ORDER BY id')
    return rows.map(({ request_id }) => String(request_id))
  }
  return { state, ids, logged }
}

const answer = (requestId: string, startedAt: number): Answered => ({
  requestId,
  caller: ANYONE,
  endpoint: '/generate',
  operation: 'text_completion',
  model: 'm',
  startedAt,
  total: 10,
  firstToken: 1,
  promptTokens: 2,
  cachedTokens: 0,
  completionTokens: 3,
  outcome: 'completed',
  code: null,
})

test('every hour, what is older than that is taken out, and no sum changes', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] })
  let now = 100 * DAY
  const { state, ids, logged } = await kept(IN_MEMORY, 30, () => now)
  for (const [id, days] of Object.entries({ old: 31, 'nearly old': 29.5, new: 0 })) {
    state.ledger.record(answer(id, now - days * DAY))
  }
  expect(await ids()).toEqual(['old', 'nearly old', 'new'])
  const sums = await state.ledger.usageOf('m')
  expect(sums).toMatchObject({ requests: 3, promptTokens: 6, completionTokens: 9, total: 30 })
  vi.advanceTimersByTime(3_600_000)
  expect(await ids()).toEqual(['nearly old', 'new'])
  now += DAY
  vi.advanceTimersByTime(3_600_000)
  expect(await ids()).toEqual(['new'])
  expect(await state.ledger.usageOf('m')).toEqual(sums)
  expect(logged).toEqual([])
})

test('for ever, unless it is said', async () => {
  const { state, ids } = await kept(IN_MEMORY, 0, () => 1000 * DAY)
  state.ledger.record(answer('first', 0))
  expect(await ids()).toEqual(['first'])
  expect(state.retention).toBeNull()
})

test('a start takes out what has become too old meanwhile, however much it is', async () => {
  const { mkdtempSync } = await import('node:fs')
  const { tmpdir } = await import('node:os')
  const { join } = await import('node:path')
  const file = join(mkdtempSync(join(tmpdir(), 'illuminator-')), 'state.db')
  const before = await kept(file, 0, () => 0)
  for (let n = 0; n < 1234; n++) before.state.ledger.record(answer(`n${n}`, n < 1233 ? 0 : 9 * DAY))
  expect(await before.ids()).toHaveLength(1234)
  await before.state.close()
  const after = await kept(file, 7, () => 10 * DAY)
  expect(await after.ids()).toEqual(['n1233'])
  expect(await after.state.ledger.usageOf('m')).toMatchObject({ requests: 1234 })
})

test('closing does not wait for all of it', async () => {
  const { state } = await kept(IN_MEMORY, 1, () => 10 * DAY)
  for (let n = 0; n < 3000; n++) state.ledger.record(answer(`n${n}`, 0))
  await state.ledger.written()
  await state.close()
  await expect(state.database.execute('SELECT 1')).rejects.toThrow()
})
