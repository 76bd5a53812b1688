/** Batch jobs in the database: each prompt is answered once, counts agree, and nobody sees another's jobs. */
import { beforeEach, describe, expect, test } from 'vitest'
import { ANYONE, type Caller } from '../auth/caller.ts'
import { Credentials } from '../auth/credentials.ts'
import { IN_MEMORY } from '../store/data-folder.ts'
import { Database } from '../store/database.ts'
import type { NewJob } from './job.ts'
import { progressOf } from './job.ts'
import { JobStore } from './job-store.ts'

const MINE: Caller = { ...ANYONE, id: 'key_1', name: 'mine' }
const JOB: NewJob = {
  dialect: 'contract',
  caller: MINE,
  name: 'summaries',
  endpoint: '/generate',
  inputFile: null,
  metadata: null,
}
const items = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ customId: null, body: { prompt: `"${i}" 💡` } }))

let store: JobStore
beforeEach(async () => {
  store = new JobStore(await Database.open(IN_MEMORY))
})

const answer = (job: string, place: number, status: 'completed' | 'failed' = 'completed') =>
  store.answer(job, {
    place,
    status,
    httpStatus: status === 'completed' ? 200 : 422,
    requestId: `req_${place}`,
    answer: { generated_text: `answer ${place}` },
  })

test('from queued to completed: counts, progress and answers in the order of the prompts', async () => {
  const { id } = await store.create(JOB, items(3))
  expect(await store.find(id, 'key_1')).toMatchObject({
    status: 'queued',
    total: 3,
    name: 'summaries',
  })
  await store.begin(id)
  await answer(id, 2)
  await answer(id, 0, 'failed')
  const half = await store.find(id, 'key_1')
  expect(half).toMatchObject({ status: 'running', completed: 1, failed: 1, finishedAt: null })
  expect(half && progressOf(half)).toBe(66)
  await answer(id, 1)
  expect(await store.find(id, null)).toMatchObject({ status: 'completed', completed: 2, failed: 1 })
  const answers = await store.answers(id, 0, 10)
  expect(answers.map(({ place, status }) => [place, status])).toEqual([
    [0, 'failed'],
    [1, 'completed'],
    [2, 'completed'],
  ])
  expect(answers[1]).toMatchObject({ requestId: 'req_1', answer: { generated_text: 'answer 1' } })
  expect(await store.answers(id, 1, 1)).toHaveLength(1)
})

test('bodies come back as they went in', async () => {
  const { id } = await store.create(JOB, items(2))
  const pending = await store.pending(10)
  expect(pending.map(({ body }) => JSON.parse(body) as unknown)).toEqual(
    items(2).map(({ body }) => body),
  )
  expect(pending[0]).toMatchObject({ job: id, place: 0, isFirst: true, endpoint: '/generate' })
  expect(pending[0]?.caller).toMatchObject({ id: 'key_1', name: 'mine', limits: ANYONE.limits })
})

describe('exactly once', () => {
  test('a second answer changes nothing', async () => {
    const { id } = await store.create(JOB, items(2))
    await store.begin(id)
    await answer(id, 0)
    await answer(id, 0, 'failed')
    expect(await store.find(id, null)).toMatchObject({ completed: 1, failed: 0 })
    expect((await store.pending(9)).map(({ place }) => place)).toEqual([1])
  })

  test('an answer that comes after the cancelling is dropped', async () => {
    const { id } = await store.create(JOB, items(2))
    await store.begin(id)
    await answer(id, 0)
    expect(await store.cancel(id)).toBe(true)
    expect(await store.cancel(id)).toBe(false)
    await answer(id, 1)
    expect(await store.find(id, null)).toMatchObject({ status: 'cancelled', completed: 1 })
    expect(await store.answers(id, 0, 9)).toHaveLength(1)
    expect(await store.pending(9)).toEqual([])
  })
})

test('the oldest job goes first; one whose every prompt failed has failed', async () => {
  const first = await store.create(JOB, items(1))
  const second = await store.create(JOB, items(2))
  expect((await store.pending(9)).map(({ job }) => job)).toEqual([first.id, second.id, second.id])
  await store.begin(first.id)
  await answer(first.id, 0, 'failed')
  expect(await store.find(first.id, null)).toMatchObject({ status: 'failed', errors: [] })
  expect((await store.pending(9)).map(({ job }) => job)).toEqual([second.id, second.id])
})

test('a revoked key ends its jobs, and no other', async () => {
  const database = await Database.open(IN_MEMORY)
  const [credentials, own] = [new Credentials(database), new JobStore(database)]
  const limits = { requestsPerMinute: null, tokensPerHour: null }
  const spec = { kind: 'key', name: 'k', tier: 'free', scopes: ['batch'], limits } as const
  const { credential } = await credentials.create({ ...spec, expiresAt: null })
  const theirs = await own.create({ ...JOB, caller: { ...MINE, id: credential.id } }, items(2))
  const other = await own.create(JOB, items(1))
  await own.cancelRevoked()
  expect(await own.pending(9)).toHaveLength(3)
  await credentials.revoke(credential.id)
  await own.cancelRevoked()
  expect((await own.pending(9)).map(({ job }) => job)).toEqual([other.id])
  expect(await own.find(theirs.id, null)).toMatchObject({ status: 'cancelled' })
})

test('a job with a broken input is over before it begins', async () => {
  const errors = [{ code: 'bad_request', message: 'no', param: 'url', line: 1 }]
  const job = await store.create({ ...JOB, dialect: 'openai', metadata: { a: 'b' } }, [], errors)
  expect(job).toMatchObject({ status: 'failed', errors, metadata: { a: 'b' }, total: 0 })
  expect(job.id).toMatch(/^batch_[0-9a-f]{32}$/)
  expect(await store.pending(9)).toEqual([])
})

test('lists: the latest first, by caller and dialect, page by page', async () => {
  const ids: string[] = []
  for (let i = 0; i < 5; i++) ids.unshift((await store.create(JOB, items(1))).id)
  await store.create({ ...JOB, caller: ANYONE }, items(1))
  await store.create({ ...JOB, dialect: 'openai' }, items(1))
  const page = async (after: string | null) =>
    (await store.list('contract', 'key_1', 2, after)).map(({ id }) => id)
  expect(await page(null)).toEqual(ids.slice(0, 2))
  expect(await page(ids[1] ?? '')).toEqual(ids.slice(2, 4))
  expect(await page(ids[3] ?? '')).toEqual(ids.slice(4))
  expect(await store.find(ids[0] ?? '', 'key_2')).toBeNull()
})
