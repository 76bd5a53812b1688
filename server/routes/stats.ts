/** `GET /models/{id}/stats`: the sums of the ledger, since the first answer it has, beside what the engine measures. */
import { ApiError } from '../contract/errors.ts'
import { bytesLabel } from '../contract/facts.ts'
import type { StatsResponse } from '../contract/stats.ts'
import { checkModel, type Deps, type RequestContext } from './env.ts'

export async function stats(c: RequestContext, deps: Deps): Promise<Response> {
  const { lifecycle, state } = deps
  const { engine } = lifecycle
  if (!engine) {
    throw new ApiError('loading', 'The model is still loading; GET /health tells how far it is.')
  }
  checkModel(deps, engine, c.req.param('id'))
  if (!state) throw new ApiError('not_found', 'This server keeps no ledger.')
  const { requests, failed, completionTokens, total } = await state.ledger.usageOf(engine.info.id)
  const body: StatsResponse = {
    model_id: engine.info.id,
    usage_stats: {
      total_requests: requests,
      total_tokens_generated: completionTokens,
      average_generation_time: requests > 0 ? rounded(total / 1000 / requests, 3) : null,
      error_rate: requests > 0 ? rounded(failed / requests, 4) : null,
    },
    performance_metrics: {
      throughput:
        total > 0 ? `${rounded(completionTokens / (total / 1000), 1)} tokens/second` : null,
      memory_usage: bytesLabel(engine.stats.memory.total),
      gpu_utilization: utilization(engine.stats.busy, Date.now() - lifecycle.startedAt),
    },
  }
  return c.json(body)
}

function utilization(busy: number, elapsed: number): number | null {
  return elapsed > 0 ? rounded(Math.min(100, (100 * busy) / elapsed), 1) : null
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits))
