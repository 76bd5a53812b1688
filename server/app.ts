/**
 * The HTTP application: middleware, routes, and one shape for every error. It opens no socket and loads no engine, so
 * tests drive it through `app.request()` and `serve.ts` puts it behind a listener.
 */
import { Hono } from 'hono'
import { guard, type Identify } from './auth/guard.ts'
import type { Batches } from './batch/batches.ts'
import { dialectOf } from './contract/dialect.ts'
import { ApiError, toHttpError } from './contract/errors.ts'
import { openApiDocument } from './contract/openapi.ts'
import type { Lifecycle } from './lifecycle.ts'
import { type Gate, OPEN_GATE } from './limits/gate.ts'
import { AdmissionQueue } from './limits/queue.ts'
import type { OnAnswered } from './observe/answered.ts'
import { type Log, logToStderr } from './observe/log.ts'
import { Metrics } from './observe/metrics.ts'
import { endpointOf, type OnRequested, watchRequests } from './observe/requested.ts'
import { playgroundAsset, playgroundPage } from './playground/route.ts'
import { requestId } from './request-id.ts'
import { describe } from './routes/answer.ts'
import { batchAnswers, batchStatus, cancelBatch, listBatches, submitBatch } from './routes/batch.ts'
import { chat } from './routes/chat.ts'
import { completions } from './routes/completions.ts'
import { docs } from './routes/docs.ts'
import type { Deps, Env, RequestContext } from './routes/env.ts'
import { health, info, live, model, models, ready } from './routes/facts.ts'
import { fileContent, fileFacts, listFiles, removeFile, uploadFile } from './routes/files.ts'
import { generate } from './routes/generate.ts'
import { metrics } from './routes/metrics.ts'
import { keySet, token } from './routes/oauth.ts'
import {
  cancelOpenAiBatch,
  listOpenAiBatches,
  openAiBatchStatus,
  submitOpenAiBatch,
} from './routes/openai-batches.ts'
import { stats } from './routes/stats.ts'
import { detokenize, tokenize } from './routes/tokenize.ts'
import { checkCaller } from './security.ts'
import type { ServerState } from './state.ts'
import { packageVersion } from './version.ts'
import { upgradeRequired } from './ws/upgrade.ts'

export interface AppOptions {
  /** The models, and shutdown. */
  lifecycle: Lifecycle
  /** Host names accepted beside this machine's own; `null` accepts any (for servers meant to be reached). Default []. */
  allowedHosts?: readonly string[] | null
  /** Longest silence in a stream. Default 8 s (the contract allows 10). */
  keepAliveMs?: number
  /** How long a stream waits for an early refusal before its first byte. Default 25 ms (the contract allows 100). */
  admissionMs?: number
  /** Most milliseconds for a request, from its admission. Default: no limit. */
  timeoutMs?: number
  /** Keys, limits and the ledger. Default: none is kept, and anyone may do anything. */
  state?: ServerState
  /** Bounds what waits; shared by all that wait for one engine. Default: its own. */
  queue?: AdmissionQueue
  /** The batch queue. Default: none, and its routes say so. */
  batches?: Batches
  /** Who a request comes from, instead of what `state` says. */
  identify?: Identify
  /** Counts requests and tokens, instead of the limiter of `state`. */
  gate?: Gate
  /** Hears of every answer, once. */
  onAnswered?: OnAnswered
  /** Hears of every HTTP request, once, when its answer is out. */
  onRequested?: OnRequested
  /** Shared by all that count for one server. Default: its own. */
  metrics?: Metrics
  /** Tells the operator what failed here. Default: on stderr. */
  log?: Log
}

type Handler = (c: RequestContext, deps: Deps) => Response | Promise<Response>

/** What routes and sockets reach, from what was asked for. */
export function depsOf(options: AppOptions): Deps {
  const metrics = options.metrics ?? new Metrics(options.lifecycle)
  return {
    lifecycle: options.lifecycle,
    version: packageVersion(),
    keepAliveMs: options.keepAliveMs ?? 8000,
    admissionMs: options.admissionMs ?? 25,
    timeoutMs: options.timeoutMs,
    gate: options.gate ?? options.state?.limiter ?? OPEN_GATE,
    queue: options.queue ?? new AdmissionQueue(),
    state: options.state ?? null,
    batches: options.batches ?? null,
    onAnswered: (answered) => {
      metrics.answered(answered)
      options.state?.ledger.record(answered)
      options.onAnswered?.(answered)
    },
    onRequested: (requested) => {
      metrics.requested(requested)
      options.onRequested?.(requested)
    },
    metrics,
    log: options.log ?? logToStderr,
  }
}

/**
 * Builds the application over models that may still be loading.
 * @param deps shared with what else answers on this server: its limits and counts are one
 */
export function createApp(options: AppOptions, deps: Deps = depsOf(options)): Hono<Env> {
  const allowed = options.allowedHosts === undefined ? [] : options.allowedHosts
  const app = new Hono<Env>()
  app.use(async (c, next) => {
    c.set('requestId', requestId(c.req.header('x-request-id')))
    c.set('arrivedAt', performance.now())
    c.set('dialect', dialectOf(c.req.path))
    await next()
    c.header('x-request-id', c.var.requestId)
  })
  app.use(watchRequests(deps.onRequested, deps.onAnswered))
  app.use(async (c, next) => {
    const host = c.req.header('host') ?? new URL(c.req.url).host
    checkCaller(host, c.req.header('origin'), allowed)
    await next()
  })
  app.use(guard(deps, options.identify))
  addRoutes(app, deps)
  app.notFound((c) => answerError(c, deps, noRoute(app, c)))
  app.onError((error, c) => answerError(c, deps, error))
  return app
}

/** Of a parameter that may hold slashes, and whatever else a client sends: a dot would not take line ends. */
const ANY = '{[\\s\\S]+}'

function addRoutes(app: Hono<Env>, deps: Deps): void {
  const handle = (c: RequestContext, handler: Handler) =>
    handler(c, { ...deps, onAnswered: c.var.onAnswered })
  const post = (path: string, handler: Handler) => app.post(path, (c) => handle(c, handler))
  const get = (path: string, handler: Handler) => app.get(path, (c) => handle(c, handler))
  post('/generate', generate)
  post('/chat/completions', chat)
  post('/v1/chat/completions', chat)
  post('/v1/completions', completions)
  post('/tokenize', tokenize)
  post('/detokenize', detokenize)
  get('/health', health)
  get('/health/live', live)
  get('/health/ready', ready)
  get('/info', info)
  get('/models', models)
  get('/v1/models', models)
  // A model id may hold slashes.
  get(`/v1/models/:id${ANY}`, model)
  get(`/models/:id${ANY}/stats`, stats)
  post('/batch/jobs', submitBatch)
  get('/batch/jobs', listBatches)
  get('/batch/jobs/:id', batchStatus)
  get('/batch/jobs/:id/results', batchAnswers)
  app.delete('/batch/jobs/:id', (c) => handle(c, cancelBatch))
  post('/v1/files', uploadFile)
  get('/v1/files', listFiles)
  get('/v1/files/:id', fileFacts)
  get('/v1/files/:id/content', fileContent)
  app.delete('/v1/files/:id', (c) => handle(c, removeFile))
  post('/v1/batches', submitOpenAiBatch)
  get('/v1/batches', listOpenAiBatches)
  get('/v1/batches/:id', openAiBatchStatus)
  post('/v1/batches/:id/cancel', cancelOpenAiBatch)
  post('/oauth/token', token)
  get('/.well-known/jwks.json', keySet)
  get('/metrics', metrics)
  get('/ws', upgradeRequired)
  get('/', playgroundPage)
  get('/status', playgroundPage)
  get(`/playground/:file${ANY}`, playgroundAsset)
  get('/docs', docs)
  get('/openapi.json', (c, { version }) => c.json(openApiDocument(version)))
}

/** 405 when the path exists under another method, else 404. */
function noRoute(app: Hono<Env>, c: RequestContext): ApiError {
  const methods = app.routes
    .filter(({ method, path }) => method !== 'ALL' && matches(path, c.req.path))
    .map(({ method }) => method)
  if (methods.length === 0) {
    return new ApiError('not_found', `There is no ${c.req.path.slice(0, 200)} here.`)
  }
  c.header('allow', methods.includes('GET') ? ['GET', 'HEAD'].join(', ') : methods.join(', '))
  const method = c.req.method.slice(0, 20)
  return new ApiError('method_not_allowed', `${c.req.path} takes ${methods[0]}, not ${method}.`)
}

/** Our patterns have at most one parameter, `:name` or one of `ANY`. */
function matches(pattern: string, path: string): boolean {
  const [, prefix, many, suffix = ''] = /^(.*\/):\w+(\{.+\})?(.*)$/.exec(pattern) ?? []
  if (prefix === undefined) return pattern === path
  if (!path.startsWith(prefix) || !path.endsWith(suffix)) return false
  const value = path.slice(prefix.length, path.length - suffix.length)
  return value !== '' && (many !== undefined || !value.includes('/'))
}

function answerError(c: RequestContext, deps: Deps, error: unknown): Response {
  const { status, headers, body, ours } = toHttpError(error, c.var.dialect, c.var.requestId)
  c.set('errorCode', body.error.code)
  if (ours) {
    const { requestId } = c.var
    const message = `${c.req.method} ${endpointOf(c) ?? 'of no path of ours'} failed`
    deps.log(`${requestId} ${message}: ${describe(error)}`, { message, requestId, error })
  }
  for (const [name, value] of Object.entries(headers)) c.header(name, value)
  return c.newResponse(JSON.stringify(body), status as 500, {
    'content-type': 'application/json',
  })
}
