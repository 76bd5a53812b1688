/** The batch queue over HTTP, in both dialects: every prompt answered by the very endpoint that answers it interactively. */
import { afterEach, describe, expect, test } from 'vitest'
import { json, type WireError } from '../../test/server-app.ts'
import { createApp } from '../app.ts'
import { ANYONE, type Caller } from '../auth/caller.ts'
import { askThrough } from '../batch/ask.ts'
import { Batches } from '../batch/batches.ts'
import type { BatchJobBody, BatchResultsBody } from '../contract/batch.ts'
import { batchJob, batchResults } from '../contract/batch.ts'
import { type BatchObject, batchObject, type FileObject, fileObject } from '../contract/files.ts'
import { FakeEngine } from '../fake-engine.ts'
import { Lifecycle } from '../lifecycle.ts'
import { Models } from '../models/models.ts'
import { IN_MEMORY } from '../store/data-folder.ts'
import { Database } from '../store/database.ts'

const opened: Batches[] = []
afterEach(async () => {
  for (const batches of opened.splice(0)) await batches.stop()
})

async function batchApp(identify: () => Caller = () => ANYONE, isReady = true) {
  const engine = new FakeEngine({ contextLength: 200 })
  const never = { load: () => new Promise<FakeEngine>(() => undefined) }
  const models = isReady ? Models.of(engine) : new Models({ pinned: [never] })
  const lifecycle = new Lifecycle(models)
  const log = () => undefined
  const batches = new Batches(
    await Database.open(IN_MEMORY),
    askThrough(() => app),
    { width: 4, log },
  )
  opened.push(batches)
  const app = createApp({ lifecycle, batches, identify, log })
  const call = async <T>(method: string, path: string, body?: unknown) => {
    const response = await app.request(path, {
      method,
      ...(body === undefined
        ? {}
        : body instanceof FormData
          ? { body }
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    return { status: response.status, headers: response.headers, body: await json<T>(response) }
  }
  const job = async (id: string) => (await call<BatchJobBody>('GET', `/batch/jobs/${id}`)).body
  const over = async (id: string): Promise<BatchJobBody> => {
    for (;;) {
      const body = await job(id)
      if (!['queued', 'running'].includes(body.status)) return body
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  return { app, engine, lifecycle, batches, call, job, over }
}

describe('/batch/jobs', () => {
  test('the contract’s example: submit, watch, read', async () => {
    const { call, over, engine } = await batchApp()
    const submitted = await call<BatchJobBody>('POST', '/batch/jobs', {
      name: 'my_batch_job',
      prompts: [
        { prompt: 'Summarize this text...', max_tokens: 3 },
        'Translate to Spanish...',
        { prompt: 'x'.repeat(500) },
      ],
      default_params: { temperature: 0.25, top_p: 0.5, max_tokens: 5 },
    })
    expect(submitted.status).toBe(202)
    expect(submitted.headers.get('location')).toBe(`/batch/jobs/${submitted.body.id}`)
    expect(batchJob.strict().safeParse(submitted.body).error).toBeUndefined()
    const done = await over(submitted.body.id)
    expect(done).toMatchObject({
      name: 'my_batch_job',
      status: 'completed',
      progress: 100,
      total_prompts: 3,
      completed_prompts: 2,
      failed_prompts: 1,
      estimated_completion: null,
    })
    const { body } = await call<BatchResultsBody>('GET', `/batch/jobs/${done.id}/results`)
    expect(batchResults.strict().safeParse(body).error).toBeUndefined()
    expect(body.job_id).toBe(done.id)
    expect(body.results).toMatchObject([
      { index: 0, status: 'completed', tokens_generated: 3, generated_text: 'Once upon a' },
      { index: 1, status: 'completed', tokens_generated: 5 },
      { index: 2, status: 'failed', error: expect.stringContaining('200') as string },
    ])
    const [options] = engine.calls.map((one) => one.options)
    expect(options).toMatchObject({ priority: 'batch', temperature: 0.25, topP: 0.5 })
  })

  test('a bad prompt is refused with the whole job, by its place and parameter', async () => {
    const { call } = await batchApp()
    const cases: [unknown, string][] = [
      [{ prompts: [] }, 'prompts'],
      [{}, 'prompts'],
      [{ prompts: ['a', ''] }, 'prompts[1]'],
      [{ prompts: ['a'], default_params: { temperature: 9 } }, 'default_params.temperature'],
      [{ prompts: ['a'], extra: 1 }, 'extra'],
    ]
    for (const [body, param] of cases) {
      const { status, body: answer } = await call<WireError>('POST', '/batch/jobs', body)
      expect(status).toBe(422)
      expect(answer.error.param).toBe(param)
    }
  })

  test('cancel: what is not answered stays so; twice is a conflict', async () => {
    const { call, over, lifecycle } = await batchApp(undefined, false)
    expect(lifecycle.phase).toBe('loading')
    const prompts = Array.from({ length: 20 }, (_, i) => `prompt ${i}`)
    const { body: job } = await call<BatchJobBody>('POST', '/batch/jobs', { prompts })
    const gone = await call<BatchJobBody>('DELETE', `/batch/jobs/${job.id}`)
    expect(gone).toMatchObject({ status: 200, body: { status: 'cancelled', completed_prompts: 0 } })
    expect(await over(job.id)).toMatchObject({ progress: 0 })
    expect((await call('DELETE', `/batch/jobs/${job.id}`)).status).toBe(409)
    expect((await call('GET', '/batch/jobs/job_x')).status).toBe(404)
  })

  test('each caller sees their own; an administrator everybody’s', async () => {
    let caller: Caller = { ...ANYONE, tier: 'free', id: 'key_1', scopes: new Set(['batch']) }
    const { call, over } = await batchApp(() => caller)
    const { body: mine } = await call<BatchJobBody>('POST', '/batch/jobs', { prompts: ['a'] })
    await over(mine.id)
    const list = async () => (await call<{ jobs: BatchJobBody[] }>('GET', '/batch/jobs')).body.jobs
    expect((await list()).map(({ id }) => id)).toEqual([mine.id])
    caller = { ...caller, id: 'key_2' }
    expect(await list()).toEqual([])
    for (const path of [mine.id, `${mine.id}/results`]) {
      expect((await call('GET', `/batch/jobs/${path}`)).status).toBe(404)
    }
    expect((await call('DELETE', `/batch/jobs/${mine.id}`)).status).toBe(404)
    caller = { ...caller, scopes: new Set(['admin', 'batch']) }
    expect((await call('GET', `/batch/jobs/${mine.id}`)).status).toBe(200)
  })

  test('a server without a database says so', async () => {
    const app = createApp({ lifecycle: new Lifecycle(Models.of(new FakeEngine())) })
    const response = await app.request('/batch/jobs')
    expect(response.status).toBe(404)
    expect((await json<WireError>(response)).error.message).toContain('keeps no state')
  })
})

describe('/v1/files and /v1/batches', () => {
  const line = (id: string, more: object = {}) => ({
    custom_id: id,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 2, ...more },
  })

  async function upload(app: Awaited<ReturnType<typeof batchApp>>, lines: readonly unknown[]) {
    const form = new FormData()
    form.set('purpose', 'batch')
    form.set('file', new File([lines.map((one) => JSON.stringify(one)).join('\n')], 'in.jsonl'))
    const { status, body } = await app.call<FileObject>('POST', '/v1/files', form)
    expect(status).toBe(200)
    expect(fileObject.strict().safeParse(body).error).toBeUndefined()
    return body
  }

  const submit = (app: Awaited<ReturnType<typeof batchApp>>, file: string) =>
    app.call<BatchObject>('POST', '/v1/batches', {
      input_file_id: file,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      metadata: { run: '7' },
    })

  async function over(app: Awaited<ReturnType<typeof batchApp>>, id: string): Promise<BatchObject> {
    for (;;) {
      const { body } = await app.call<BatchObject>('GET', `/v1/batches/${id}`)
      if (!['validating', 'in_progress'].includes(body.status)) return body
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  const linesOf = async (app: Awaited<ReturnType<typeof batchApp>>, id: string | undefined) =>
    (await (await app.app.request(`/v1/files/${id}/content`)).text())
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as { custom_id: string; response: { status_code: number } })

  test('upload, run, read answers and failures, delete', async () => {
    const app = await batchApp()
    const file = await upload(app, [line('a'), line('b', { temperature: 7 }), line('c')])
    const submitted = await submit(app, file.id)
    expect(batchObject.strict().safeParse(submitted.body).error).toBeUndefined()
    const done = await over(app, submitted.body.id)
    expect(done).toMatchObject({
      object: 'batch',
      status: 'completed',
      request_counts: { total: 3, completed: 2, failed: 1 },
      metadata: { run: '7' },
    })
    // OpenAI's document has no null for what never was.
    expect(Object.values(done)).not.toContain(null)
    expect(done.errors).toBeUndefined()
    const answers = await linesOf(app, done.output_file_id)
    expect(answers).toMatchObject([
      { custom_id: 'a', response: { status_code: 200, body: { object: 'chat.completion' } } },
      { custom_id: 'c', response: { status_code: 200 } },
    ])
    expect(await linesOf(app, done.error_file_id)).toMatchObject([
      { custom_id: 'b', response: { status_code: 400, body: { error: { param: 'temperature' } } } },
    ])
    const facts = await app.call<FileObject>('GET', `/v1/files/${done.output_file_id}`)
    expect(facts.body).toMatchObject({ purpose: 'batch_output', object: 'file' })
    expect((await app.call('DELETE', `/v1/files/${file.id}`)).body).toMatchObject({ deleted: true })
    expect((await app.call('GET', `/v1/files/${file.id}`)).status).toBe(404)
    const { body } = await app.call<{ data: BatchObject[] }>('GET', '/v1/batches?limit=5')
    expect(body.data.map(({ id }) => id)).toEqual([done.id])
  })

  test('a broken input fails as a whole, and says which line', async () => {
    const app = await batchApp()
    const file = await upload(app, [line('a'), line('a'), { ...line('b'), url: '/x' }])
    const { body } = await submit(app, file.id)
    expect(body).toMatchObject({
      status: 'failed',
      errors: {
        data: [
          { line: 2, param: 'custom_id' },
          { line: 3, param: 'url' },
        ],
      },
    })
  })

  test('what cannot be is refused by name', async () => {
    const app = await batchApp()
    expect((await submit(app, 'file-none')).body).toMatchObject({
      error: { param: 'input_file_id', type: 'invalid_request_error' },
    })
    const form = new FormData()
    form.set('purpose', 'fine-tune')
    expect((await app.call('POST', '/v1/files', form)).body).toMatchObject({
      error: { param: 'purpose' },
    })
    expect((await app.call('POST', '/v1/files', { file: 1 })).status).toBe(400)
    expect((await app.call('GET', '/v1/batches?limit=0')).body).toMatchObject({
      error: { param: 'limit' },
    })
  })
})
