/** `GET /models/{id}/stats`: the sums of the ledger, since the first answer it has, beside what the engine measures. */
import { ApiError } from '../contract/errors.ts'
import { bytesLabel } from '../contract/facts.ts'
import type { StatsResponse } from '../contract/stats.ts'
import type { Deps, RequestContext } from './env.ts'

export async function stats(c: RequestContext, deps: Deps): Promise<Response> {
  const { lifecycle, state } = deps
  const { id, model } = await lifecycle.models.findNamed(c.req.param('id'))
  const { engine, loadedAt } = model
  if (!state) throw new ApiError('not_found', 'This server keeps no ledger.')
  const { requests, failed, completionTokens, total } = await state.ledger.usageOf(id)
  const body: StatsResponse = {
    model_id: id,
    usage_stats: {
      total_requests: requests,
      total_tokens_generated: completionTokens,
      average_generation_time: requests > 0 ? rounded(total / 1000 / requests, 3) : null,
      error_rate: requests > 0 ? rounded(failed / requests, 4) : null,
    },
    performance_metrics: {
      throughput:
        total > 0 ? `${rounded(completionTokens / (total / 1000), 1)} tokens/second` : null,
      memory_usage: engine ? bytesLabel(engine.stats.memory.total) : null,
      gpu_utilization: engine ? utilization(engine.stats.busy, Date.now() - loadedAt) : null,
    },
  }
  return c.json(body)
}

function utilization(busy: number, elapsed: number): number | null {
  return elapsed > 0 ? rounded(Math.min(100, (100 * busy) / elapsed), 1) : null
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits))
