/**
 * A server that is killed in the middle of a batch, again and again: each prompt is answered exactly once, in order. In CI a
 * few kills of a short batch; KILLS=50 PROMPTS=2000 for the whole promise.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Random } from '../kernels/index.ts'
import type { BatchJobBody, BatchResultsBody } from '../server/contract/batch.ts'

const KILLS = Number(process.env.KILLS ?? 4)
const PROMPTS = Number(process.env.PROMPTS ?? 300)

let data: string
beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), 'illuminator-batch-'))
})
const alive = new Set<ChildProcess>()
afterEach(() => {
  for (const child of alive) child.kill('SIGKILL')
})
afterAll(() => rmSync(data, { recursive: true, force: true }))

async function start(): Promise<{ url: string; kill: () => Promise<void> }> {
  const script = join(import.meta.dirname, 'fake-server.ts')
  const loader = join(import.meta.dirname, 'run-typescript.mjs')
  const child = spawn(process.execPath, ['--import', loader, script, data, '1000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  alive.add(child)
  const died = once(child, 'exit').then(() => expect.fail('The server ended before it listened.'))
  const [first] = (await Promise.race([once(child.stdout, 'data'), died])) as [Buffer]
  return {
    url: first.toString().trim(),
    async kill() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      alive.delete(child)
    },
  }
}

const call = async <T>(url: string, body?: unknown): Promise<T> => {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }
  const response = await fetch(url, body === undefined ? {} : init)
  expect(response.ok).toBe(true)
  return (await response.json()) as T
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

test(`killed ${KILLS} times in a batch of ${PROMPTS}: each prompt is answered once, in order`, async () => {
  const random = new Random(5)
  let { url, kill } = await start()
  const prompts = Array.from({ length: PROMPTS }, (_, i) => ({
    prompt: `prompt ${i}`,
    max_tokens: 1 + (i % 3),
    return_full_text: true,
  }))
  const { id } = await call<BatchJobBody>(`${url}/batch/jobs`, { prompts })
  const completed: number[] = []
  for (let kills = 0; kills < KILLS; kills++) {
    await pause(random.below(250))
    completed.push((await call<BatchJobBody>(`${url}/batch/jobs/${id}`)).completed_prompts)
    await kill()
    ;({ url, kill } = await start())
    // What was answered is answered.
    const { completed_prompts } = await call<BatchJobBody>(`${url}/batch/jobs/${id}`)
    expect(completed_prompts).toBeGreaterThanOrEqual(completed.at(-1) ?? 0)
  }
  let job: BatchJobBody
  do {
    await pause(20)
    job = await call<BatchJobBody>(`${url}/batch/jobs/${id}`)
  } while (job.status === 'running' || job.status === 'queued')
  expect(job).toMatchObject({ status: 'completed', completed_prompts: PROMPTS, failed_prompts: 0 })
  const { results } = await call<BatchResultsBody>(`${url}/batch/jobs/${id}/results`)
  const text = (i: number) =>
    `prompt ${i}${['one', ' two', ' three'].slice(0, 1 + (i % 3)).join('')}`
  expect(
    results.map((result) => [result.index, 'generated_text' in result && result.generated_text]),
  ).toEqual(prompts.map((_, i) => [i, text(i)]))
  await kill()
}, 600_000)
