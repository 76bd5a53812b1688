/** `/batch/jobs`: submit, list, watch, read and cancel. */

import type { Caller } from '../auth/caller.ts'
import type { Batches } from '../batch/batches.ts'
import { type BatchJob, isOver, progressOf } from '../batch/job.ts'
import { type BatchJobBody, type BatchResultsBody, batchRequest } from '../contract/batch.ts'
import { ApiError } from '../contract/errors.ts'
import type { GenerateResponse } from '../contract/generate.ts'
import { readJson, validate } from '../contract/parse.ts'
import { queryNumber } from '../contract/query.ts'
import type { Deps, RequestContext } from './env.ts'

const PAGE = 100

/** The queue, or an error where the server was made without a database. */
export function batchesOf({ batches }: Deps): Batches {
  if (batches) return batches
  throw new ApiError('not_found', 'This server keeps no state, so it takes no batch jobs.')
}

/** A caller's job; administrators see everybody's. */
export async function jobOf(c: RequestContext, deps: Deps, dialect: BatchJob['dialect']) {
  const id = c.req.param('id') ?? ''
  const job = await batchesOf(deps).jobs.find(id, ownerOf(c.var.caller))
  if (job?.dialect === dialect) return job
  throw new ApiError('not_found', `There is no batch job '${id.slice(0, 100)}'.`)
}

export const ownerOf = ({ id, scopes, tier }: Caller): string | null =>
  scopes.has('admin') && tier !== 'open' ? null : id

export async function submitBatch(c: RequestContext, deps: Deps): Promise<Response> {
  const batches = batchesOf(deps)
  const body = validate(batchRequest, await readJson(c.req.raw))
  const items = body.prompts.map((prompt) => ({
    customId: null,
    body: { ...body.default_params, ...(typeof prompt === 'string' ? { prompt } : prompt) },
  }))
  const job = await batches.submit(
    {
      dialect: 'contract',
      caller: c.var.caller,
      name: body.name ?? null,
      endpoint: '/generate',
      inputFile: null,
      metadata: null,
    },
    items,
  )
  c.header('location', `/batch/jobs/${job.id}`)
  return c.json(wireJob(job), 202)
}

export async function listBatches(c: RequestContext, deps: Deps): Promise<Response> {
  const limit = queryNumber(c, 'limit', 1, PAGE, 20)
  const after = c.req.query('after') ?? null
  const { jobs } = batchesOf(deps)
  const found = await jobs.list('contract', c.var.caller.id, limit + 1, after)
  return c.json({ jobs: found.slice(0, limit).map(wireJob), has_more: found.length > limit })
}

export async function batchStatus(c: RequestContext, deps: Deps): Promise<Response> {
  return c.json(wireJob(await jobOf(c, deps, 'contract')))
}

export async function cancelBatch(c: RequestContext, deps: Deps): Promise<Response> {
  const { id, status } = await jobOf(c, deps, 'contract')
  if (!(await batchesOf(deps).cancel(id))) {
    throw new ApiError('conflict', `The batch job '${id}' is over already: it is ${status}.`)
  }
  return c.json(wireJob(await jobOf(c, deps, 'contract')))
}

export async function batchAnswers(c: RequestContext, deps: Deps): Promise<Response> {
  const { id } = await jobOf(c, deps, 'contract')
  const from = queryNumber(c, 'offset', 0, Number.MAX_SAFE_INTEGER, 0)
  const limit = queryNumber(c, 'limit', 1, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  const answers = await batchesOf(deps).jobs.answers(id, from, limit)
  const results = answers.map(({ place, status, answer }): BatchResultsBody['results'][number] => {
    if (status === 'failed') {
      const { error } = answer as { error: { message: string } }
      return { index: place, status, error: error.message }
    }
    const { generated_text, tokens_generated, generation_time, finish_reason } =
      answer as GenerateResponse
    const told = { generated_text, tokens_generated, generation_time, finish_reason }
    return { index: place, status, ...told }
  })
  return c.json({ job_id: id, results } satisfies BatchResultsBody)
}

const timeOf = (at: number | null): string | null =>
  at === null ? null : new Date(at).toISOString()

function wireJob(job: BatchJob): BatchJobBody {
  return {
    id: job.id,
    name: job.name,
    status: job.status,
    progress: progressOf(job),
    created_at: new Date(job.createdAt).toISOString(),
    started_at: timeOf(job.startedAt),
    finished_at: timeOf(job.finishedAt),
    total_prompts: job.total,
    completed_prompts: job.completed,
    failed_prompts: job.failed,
    estimated_completion: timeOf(estimateOf(job)),
  }
}

/** As fast as so far; null before there is a pace, or after the end. */
function estimateOf(job: BatchJob): number | null {
  const done = job.completed + job.failed
  if (isOver(job) || job.startedAt === null || done === 0) return null
  const perPrompt = (Date.now() - job.startedAt) / done
  return Math.ceil(Date.now() + perPrompt * (job.total - done))
}
