/** `/v1/files`: upload an input file, see, read and delete files. A batch's answers are files, too, made as they are read. */

import type { StoredFile } from '../batch/file-store.ts'
import type { AnsweredItem, BatchJob } from '../batch/job.ts'
import { ApiError } from '../contract/errors.ts'
import { type FileObject, MAX_FILE_BYTES } from '../contract/files.ts'
import { readCapped } from '../contract/parse.ts'
import { queryNumber } from '../contract/query.ts'
import { batchesOf, ownerOf } from './batch.ts'
import type { Deps, RequestContext } from './env.ts'

/** Answers that are read from the database at once. */
const READ = 500

export async function uploadFile(c: RequestContext, deps: Deps): Promise<Response> {
  const batches = batchesOf(deps)
  const form = await formOf(c)
  const purpose = form.get('purpose')
  if (purpose !== 'batch') {
    throw new ApiError('bad_request', "The parameter 'purpose' must be 'batch'.", 'purpose')
  }
  const file = form.get('file')
  if (!(file instanceof File)) {
    throw new ApiError('missing_parameter', "The parameter 'file' is required: a file.", 'file')
  }
  const content = new Uint8Array(await file.arrayBuffer())
  const name = file.name.slice(0, 255)
  return c.json(wireFile(await batches.files.create(c.var.caller.id, name, content)))
}

async function formOf(c: RequestContext): Promise<FormData> {
  const type = c.req.header('content-type') ?? ''
  const bytes = await readCapped(c.req.raw, MAX_FILE_BYTES)
  try {
    return await new Response(bytes, { headers: { 'content-type': type } }).formData()
  } catch {
    throw new ApiError('bad_request', 'The request body must be multipart/form-data with a file.')
  }
}

export async function listFiles(c: RequestContext, deps: Deps): Promise<Response> {
  const limit = queryNumber(c, 'limit', 1, 10_000, 10_000)
  const files = await batchesOf(deps).files.list(c.var.caller.id, limit + 1)
  const data = files.slice(0, limit).map(wireFile)
  return c.json({
    object: 'list',
    data,
    // OpenAI's document wants strings, of an empty list too.
    first_id: data[0]?.id ?? '',
    last_id: data.at(-1)?.id ?? '',
    has_more: files.length > limit,
  })
}

export async function fileFacts(c: RequestContext, deps: Deps): Promise<Response> {
  const id = c.req.param('id') ?? ''
  const output = await outputOf(c, deps, id)
  if (output) return c.json(outputFile(id, output, (await contentOf(deps, output)).byteLength))
  const file = await batchesOf(deps).files.find(id, c.var.caller.id)
  if (!file) throw noFile(id)
  return c.json(wireFile(file))
}

export async function fileContent(c: RequestContext, deps: Deps): Promise<Response> {
  const id = c.req.param('id') ?? ''
  const output = await outputOf(c, deps, id)
  const content = output
    ? await contentOf(deps, output)
    : await batchesOf(deps).files.content(id, c.var.caller.id)
  if (!content) throw noFile(id)
  return c.body(content as Uint8Array<ArrayBuffer>, 200, {
    'content-type': 'application/octet-stream',
  })
}

export async function removeFile(c: RequestContext, deps: Deps): Promise<Response> {
  const id = c.req.param('id') ?? ''
  if (await outputOf(c, deps, id)) {
    throw new ApiError('conflict', `The file '${id}' belongs to its batch and stays with it.`)
  }
  if (!(await batchesOf(deps).files.remove(id, c.var.caller.id))) throw noFile(id)
  return c.json({ id, object: 'file', deleted: true })
}

const noFile = (id: string): ApiError =>
  new ApiError('not_found', `There is no file '${id.slice(0, 100)}'.`)

type Kind = AnsweredItem['status']
interface Output {
  readonly job: BatchJob
  readonly kind: Kind
}

const OUTPUT = /^file-(output|errors)-(batch_[0-9a-f]{32})$/

/** Id of the file with a batch's answers, or with its failures; null when there is none. */
export function outputId(job: BatchJob, kind: Kind): string | null {
  const isThere = (kind === 'completed' ? job.completed : job.failed) > 0 && job.finishedAt !== null
  return isThere ? `file-${kind === 'completed' ? 'output' : 'errors'}-${job.id}` : null
}

async function outputOf(c: RequestContext, deps: Deps, id: string): Promise<Output | null> {
  const [, which, batch] = OUTPUT.exec(id) ?? []
  if (!batch) return null
  const job = await batchesOf(deps).jobs.find(batch, ownerOf(c.var.caller))
  const kind = which === 'output' ? 'completed' : 'failed'
  return job && outputId(job, kind) === id ? { job, kind } : null
}

/** Lines as OpenAI writes them, in the order of the input. */
async function contentOf(deps: Deps, { job, kind }: Output): Promise<Uint8Array> {
  const lines: string[] = []
  for (let from = 0; ; ) {
    const answers = await batchesOf(deps).jobs.answers(job.id, from, READ)
    const last = answers.at(-1)
    if (!last) break
    for (const answer of answers) if (answer.status === kind) lines.push(lineOf(job, answer))
    from = last.place + 1
  }
  return new TextEncoder().encode(lines.join(''))
}

function lineOf(job: BatchJob, { place, customId, httpStatus, requestId, answer }: AnsweredItem) {
  const response = { status_code: httpStatus, request_id: requestId, body: answer }
  const line = { id: `batch_req_${job.id}_${place}`, custom_id: customId, response, error: null }
  return `${JSON.stringify(line)}\n`
}

const secondsOf = (milliseconds: number): number => Math.floor(milliseconds / 1000)

const wireFile = ({ id, name, bytes, createdAt }: StoredFile): FileObject => ({
  id,
  object: 'file',
  bytes,
  created_at: secondsOf(createdAt),
  filename: name,
  purpose: 'batch',
  status: 'processed',
})

const outputFile = (id: string, { job }: Output, bytes: number): FileObject => ({
  id,
  object: 'file',
  bytes,
  created_at: secondsOf(job.finishedAt ?? job.createdAt),
  filename: `${id}.jsonl`,
  purpose: 'batch_output',
  status: 'processed',
})
