/** `/v1/batches`: OpenAI's dialect of the batch queue. */
import { readInputFile } from '../batch/input-file.ts'
import { type BatchJob, isOver } from '../batch/job.ts'
import { ApiError } from '../contract/errors.ts'
import { type BatchObject, createBatch } from '../contract/files.ts'
import { readJson, validate } from '../contract/parse.ts'
import { queryNumber } from '../contract/query.ts'
import { batchesOf, jobOf } from './batch.ts'
import type { Deps, RequestContext } from './env.ts'
import { outputId } from './files.ts'

const PAGE = 100

export async function submitOpenAiBatch(c: RequestContext, deps: Deps): Promise<Response> {
  const batches = batchesOf(deps)
  const body = validate(createBatch, await readJson(c.req.raw))
  const { input_file_id: inputFile, endpoint } = body
  const content = await batches.files.content(inputFile, c.var.caller.id)
  if (!content) {
    const message = `There is no file '${inputFile.slice(0, 100)}'; upload it to /v1/files first.`
    throw new ApiError('bad_request', message, 'input_file_id')
  }
  const { items, errors } = readInputFile(content, endpoint)
  const metadata = body.metadata ?? null
  const { caller } = c.var
  const job = await batches.submit(
    { dialect: 'openai', caller, name: null, endpoint, inputFile, metadata },
    items,
    errors,
  )
  return c.json(wireBatch(job))
}

export async function listOpenAiBatches(c: RequestContext, deps: Deps): Promise<Response> {
  const limit = queryNumber(c, 'limit', 1, PAGE, 20)
  const after = c.req.query('after') ?? null
  const jobs = await batchesOf(deps).jobs.list('openai', c.var.caller.id, limit + 1, after)
  const data = jobs.slice(0, limit).map(wireBatch)
  return c.json({
    object: 'list',
    data,
    first_id: data[0]?.id,
    last_id: data.at(-1)?.id,
    has_more: jobs.length > limit,
  })
}

export async function openAiBatchStatus(c: RequestContext, deps: Deps): Promise<Response> {
  return c.json(wireBatch(await jobOf(c, deps, 'openai')))
}

export async function cancelOpenAiBatch(c: RequestContext, deps: Deps): Promise<Response> {
  const { id, status } = await jobOf(c, deps, 'openai')
  if (!(await batchesOf(deps).cancel(id))) {
    throw new ApiError('conflict', `The batch '${id}' is over already: it is ${status}.`)
  }
  return c.json(wireBatch(await jobOf(c, deps, 'openai')))
}

const STATUS = {
  queued: 'validating',
  running: 'in_progress',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
} as const

/** OpenAI's batches fail as a whole only over their input: one whose every line failed is complete. */
const statusOf = ({ status, errors }: BatchJob): BatchObject['status'] =>
  status === 'failed' && errors.length === 0 ? 'completed' : STATUS[status]

/** No `expires_at`: the queue is worked off however long it takes. */
function wireBatch(job: BatchJob): BatchObject {
  const status = statusOf(job)
  const secondsOf = (at: number | null): number | undefined =>
    at === null ? undefined : Math.floor(at / 1000)
  const endedAs = (how: BatchObject['status']) =>
    isOver(job) && status === how ? secondsOf(job.finishedAt) : undefined
  const { errors } = job
  return {
    id: job.id,
    object: 'batch',
    endpoint: job.endpoint,
    errors: errors.length > 0 ? { object: 'list', data: [...errors] } : undefined,
    input_file_id: job.inputFile ?? '',
    completion_window: '24h',
    status,
    output_file_id: outputId(job, 'completed') ?? undefined,
    error_file_id: outputId(job, 'failed') ?? undefined,
    created_at: Math.floor(job.createdAt / 1000),
    in_progress_at: secondsOf(job.startedAt),
    completed_at: endedAs('completed'),
    failed_at: endedAs('failed'),
    cancelled_at: endedAs('cancelled'),
    request_counts: { total: job.total, completed: job.completed, failed: job.failed },
    metadata: job.metadata,
  }
}
