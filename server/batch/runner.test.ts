/** Who works off batch jobs: in order, some at once, again after "later", and never twice. */
import { beforeEach, expect, test } from 'vitest'
import { ANYONE } from '../auth/caller.ts'
import { IN_MEMORY } from '../store/data-folder.ts'
import { Database } from '../store/database.ts'
import { Batches } from './batches.ts'
import type { BatchJob, NewJob, PendingItem } from './job.ts'
import type { Ask } from './runner.ts'

const JOB: NewJob = {
  dialect: 'contract',
  caller: ANYONE,
  name: null,
  endpoint: '/generate',
  inputFile: null,
  metadata: null,
}
const items = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ customId: null, body: { prompt: String(i) } }))

let database: Database
const logged: string[] = []
beforeEach(async () => {
  database = await Database.open(IN_MEMORY)
  logged.length = 0
})

const open = (ask: Ask, width = 4): Batches =>
  new Batches(database, ask, { width, log: (line) => logged.push(line) })

const ok = (item: PendingItem): Response => Response.json({ generated_text: item.body })

async function finished(batches: Batches, id: string): Promise<BatchJob> {
  for (;;) {
    const job = await batches.jobs.find(id, null)
    if (job && job.status !== 'queued' && job.status !== 'running') return job
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('every prompt once, in order, never more at once than wanted', async () => {
  const asked: number[] = []
  let [now, most] = [0, 0]
  const batches = open(async (item) => {
    asked.push(item.place)
    most = Math.max(most, ++now)
    await new Promise((resolve) => setTimeout(resolve, item.place % 3))
    now--
    return ok(item)
  })
  const { id } = await batches.submit(JOB, items(50))
  expect(await finished(batches, id)).toMatchObject({ status: 'completed', completed: 50 })
  expect([...asked].sort((a, b) => a - b)).toEqual(items(50).map((_, i) => i))
  expect(most).toBe(4)
  const answers = await batches.jobs.answers(id, 0, 99)
  expect(answers.map(({ answer }) => answer)).toEqual(
    items(50).map(({ body }) => ({ generated_text: JSON.stringify(body) })),
  )
})

test('what is refused for good has failed; what is turned away for a while is asked again', async () => {
  const seen = new Map<number, number>()
  const batches = open(async (item) => {
    const times = (seen.get(item.place) ?? 0) + 1
    seen.set(item.place, times)
    if (item.place === 1) return Response.json({ error: { message: 'too long' } }, { status: 422 })
    if (item.place === 2 && times === 1) return Response.json({}, { status: 429 })
    if (item.place === 3 && times === 1) throw new Error('a bug')
    return ok(item)
  })
  const { id } = await batches.submit(JOB, items(3))
  expect(await finished(batches, id)).toMatchObject({ completed: 2, failed: 1 })
  expect([...seen.entries()]).toEqual([
    [0, 1],
    [1, 1],
    [2, 2],
  ])
  expect((await batches.jobs.answers(id, 1, 1))[0]).toMatchObject({
    status: 'failed',
    httpStatus: 422,
    answer: { error: { message: 'too long' } },
  })
})

test('what no waiting would help is not asked again', async () => {
  const batches = open(async () => {
    const init = { status: 429, headers: { 'x-should-retry': 'false' } }
    return Response.json({ error: { message: 'more than an hour has' } }, init)
  })
  const { id } = await batches.submit(JOB, items(2))
  expect(await finished(batches, id)).toMatchObject({ status: 'failed', failed: 2 })
})

test('a caller at their limit holds up nobody else', async () => {
  let isOpen = false
  const batches = open(async (item) => {
    if (item.caller.id === 'poor' && !isOpen) return Response.json({}, { status: 429 })
    return ok(item)
  })
  const poor = await batches.submit({ ...JOB, caller: { ...ANYONE, id: 'poor' } }, items(9))
  const other = await batches.submit(JOB, items(9))
  expect(await finished(batches, other.id)).toMatchObject({ completed: 9 })
  expect(await batches.jobs.find(poor.id, null)).toMatchObject({ completed: 0, failed: 0 })
  isOpen = true
  expect(await finished(batches, poor.id)).toMatchObject({ completed: 9 })
})

test('a stop ends what is asked; the next process goes on where this one was', async () => {
  const first = open(
    (item, signal) =>
      new Promise((resolve, reject) => {
        if (item.place < 3) resolve(ok(item))
        else signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
      }),
  )
  const { id } = await first.submit(JOB, items(10))
  while ((await first.jobs.find(id, null))?.completed !== 3) {
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await first.stop()
  expect(logged).toEqual([])
  const asked: number[] = []
  const second = open(async (item) => {
    asked.push(item.place)
    return ok(item)
  })
  second.start()
  expect(await finished(second, id)).toMatchObject({ completed: 10, failed: 0 })
  expect(asked).toEqual([3, 4, 5, 6, 7, 8, 9])
})

test('cancelling a job ends what is asked of it, and of no other', async () => {
  const aborted: string[] = []
  const batches = open(
    (item, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted.push(item.job)
          reject(new Error('aborted'))
        })
        setTimeout(() => resolve(ok(item)), 30)
      }),
  )
  const one = await batches.submit(JOB, items(2))
  const two = await batches.submit(JOB, items(2))
  while ((await batches.jobs.find(two.id, null))?.status !== 'running') {
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  expect(await batches.cancel(one.id)).toBe(true)
  expect(await finished(batches, two.id)).toMatchObject({ completed: 2 })
  expect(await batches.jobs.find(one.id, null)).toMatchObject({ status: 'cancelled', completed: 0 })
  expect(aborted).toEqual([one.id, one.id])
  await batches.stop()
})
