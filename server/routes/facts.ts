/** `GET /health` and its two probes, `/info`, `/models` and `/v1/models`: what the server knows of itself. */
import type { Progress } from '../../engine/api.ts'
import { STRANGER } from '../auth/caller.ts'
import { ApiError } from '../contract/errors.ts'
import {
  bytesLabel,
  countLabel,
  durationLabel,
  type HealthResponse,
  type InfoResponse,
  type ModelsResponse,
} from '../contract/facts.ts'
import type { ServedEngine } from '../contract/served-engine.ts'
import type { Lifecycle } from '../lifecycle.ts'
import { type NamedModel, stillLoading } from '../models/models.ts'
import type { Deps, RequestContext } from './env.ts'

const STATUS = {
  ready: 'healthy',
  loading: 'loading',
  draining: 'draining',
  unhealthy: 'unhealthy',
} as const

export function health(c: RequestContext, deps: Deps): Response {
  const { lifecycle, version } = deps
  lifecycle.look()
  const { fault, phase } = lifecycle
  const { engines } = lifecycle.models
  // Who has no key, where keys are needed, learns whether it works and nothing more.
  const isStranger = c.var.caller === STRANGER
  const stats = isStranger ? [] : engines.map((engine) => engine.stats)
  const body: HealthResponse = {
    status: STATUS[phase],
    model_loaded: engines.length > 0,
    gpu_available: stats.length > 0 ? stats.some(({ adapter }) => adapter.kind === 'gpu') : null,
    memory_usage: {
      gpu_memory_used:
        stats.length > 0
          ? bytesLabel(stats.reduce((sum, { memory }) => sum + memory.total, 0))
          : null,
      gpu_memory_total: null,
    },
    uptime: durationLabel(Date.now() - lifecycle.startedAt),
    version: isStranger ? null : version,
  }
  if (phase === 'loading') body.progress = wireProgress(lifecycle.progress)
  if (phase === 'unhealthy' && fault !== null) body.reason = fault
  return c.json(body, phase === 'ready' ? 200 : 503)
}

function wireProgress(progress: Progress | null): HealthResponse['progress'] {
  if (progress === null) return null
  const { phase, done, total } = progress
  return { phase, done, total, percent: total > 0 ? Math.floor((100 * done) / total) : 0 }
}

/** The process lives. */
export function live(c: RequestContext): Response {
  return c.json({ status: 'live' })
}

/** Requests are welcome. */
export function ready(c: RequestContext, { lifecycle }: Deps): Response {
  lifecycle.look()
  const { phase } = lifecycle
  return phase === 'ready' ? c.json({ status: 'ready' }) : c.json({ status: STATUS[phase] }, 503)
}

export function info(c: RequestContext, deps: Deps): Response {
  const { info: model } = loaded(deps)
  const body: InfoResponse = {
    model_name: model.id,
    version: deps.version,
    parameters: countLabel(model.parameters),
    architecture: {
      type: model.architecture,
      family: model.family,
      layers: model.layers,
      heads: model.heads,
      kv_heads: model.kvHeads,
      head_dim: model.headDim,
      d_model: model.hiddenSize,
      vocabulary_size: model.vocabularySize,
      context_length: model.contextLength,
    },
    weights: model.weights,
    capabilities: ['text_generation', 'chat_completion'],
    // A checkpoint does not say what it was trained on.
    training_data: { sources: null, total_tokens: null, languages: null },
  }
  return c.json(body)
}

export async function models(c: RequestContext, { lifecycle }: Deps): Promise<Response> {
  await lifecycle.models.refresh()
  const { named } = lifecycle.models
  if (named.length === 0 && !lifecycle.models.isComplete) throw stillLoading()
  const body: ModelsResponse = {
    object: 'list',
    data: named.map(({ id }) => card(lifecycle, id)),
    models: named.map(facts),
  }
  return c.json(body)
}

export async function model(c: RequestContext, { lifecycle }: Deps): Promise<Response> {
  const { id } = await lifecycle.models.findNamed(c.req.param('id'))
  return c.json(card(lifecycle, id))
}

function card({ startedAt }: Lifecycle, id: string): ModelsResponse['data'][number] {
  const created = Math.floor(startedAt / 1000)
  return { id, object: 'model', created, owned_by: 'illuminator' }
}

/** Until it is loaded, what its files tell. */
function facts({ id, model }: NamedModel): ModelsResponse['models'][number] {
  const { engine, state, source } = model
  const parameters = engine ? countLabel(engine.info.parameters) : null
  const {
    architecture = null,
    weights = null,
    contextLength = null,
  } = engine?.info ?? source.facts ?? {}
  const about = [
    architecture,
    parameters === null ? null : `${parameters} parameters`,
    weights === null ? null : `${weights} weights`,
  ]
  return {
    id,
    name: id,
    description: about.filter((part) => part !== null).join(', '),
    parameters,
    context_length: contextLength,
    status: 'available',
    state,
    pinned: source.isPinned ?? false,
    memory_usage: engine ? bytesLabel(engine.stats.memory.total) : null,
  }
}

/** Of the model that is meant where none is named, or else of any. Facts may still be read during a drain, unlike work. */
function loaded({ lifecycle: { models } }: Deps): ServedEngine {
  const engine = models.usual?.engine ?? models.engines[0]
  if (engine) return engine
  if (!models.isComplete) throw stillLoading()
  throw new ApiError('loading', 'No model is loaded; one is when a request names it.')
}
