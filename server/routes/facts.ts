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
import { checkModel, type Deps, type RequestContext } from './env.ts'

const STATUS = {
  ready: 'healthy',
  loading: 'loading',
  draining: 'draining',
  unhealthy: 'unhealthy',
} as const

export function health(c: RequestContext, deps: Deps): Response {
  const { lifecycle, version } = deps
  lifecycle.look()
  const { engine, fault, phase } = lifecycle
  // Who has no key, where keys are needed, learns whether it works and nothing more.
  const isStranger = c.var.caller === STRANGER
  const stats = isStranger ? undefined : engine?.stats
  const body: HealthResponse = {
    status: STATUS[phase],
    model_loaded: engine !== null,
    gpu_available: stats ? stats.adapter.kind === 'gpu' : null,
    memory_usage: {
      gpu_memory_used: stats ? bytesLabel(stats.memory.total) : null,
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

export function models(c: RequestContext, deps: Deps): Response {
  const { info: model } = loaded(deps)
  const parameters = countLabel(model.parameters)
  const body: ModelsResponse = {
    object: 'list',
    data: [card(deps, model.id)],
    models: [
      {
        id: model.id,
        name: model.id,
        description: `${model.architecture}, ${parameters} parameters, ${model.weights} weights`,
        parameters,
        context_length: model.contextLength,
        status: 'available',
      },
    ],
  }
  return c.json(body)
}

export function model(c: RequestContext, deps: Deps): Response {
  const engine = loaded(deps)
  checkModel(deps, engine, c.req.param('id'))
  return c.json(card(deps, engine.info.id))
}

function card(deps: Deps, id: string): ModelsResponse['data'][number] {
  const created = Math.floor(deps.lifecycle.startedAt / 1000)
  return { id, object: 'model', created, owned_by: 'illuminator' }
}

/** Facts may still be read during a drain, unlike work. */
function loaded({ lifecycle }: Deps): ServedEngine {
  if (lifecycle.engine) return lifecycle.engine
  throw new ApiError('loading', 'The model is still loading; GET /health tells how far it is.')
}
