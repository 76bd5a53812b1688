/** What the server tells of itself and its model: `/health`, `/info`, `/models`. Unknown figures are `null`, never guesses. */
import { z } from '@hono/zod-openapi'

const progressSchema = z.object({
  phase: z.enum(['download', 'adapter', 'weights', 'pipelines']),
  percent: z.number(),
  done: z.number(),
  total: z.number(),
})

export const healthResponse = z
  .object({
    status: z.enum(['healthy', 'loading', 'draining', 'unhealthy']),
    model_loaded: z.boolean(),
    gpu_available: z
      .boolean()
      .nullable()
      .describe('False on a software adapter; null until known.'),
    memory_usage: z.object({
      gpu_memory_used: z.string().nullable(),
      gpu_memory_total: z.string().nullable().describe('WebGPU does not tell.'),
    }),
    uptime: z.string(),
    version: z
      .string()
      .nullable()
      .describe('Null, as the memory is, without a key where keys are needed.'),
    progress: progressSchema.nullable().optional(),
    reason: z.string().optional(),
  })
  .openapi('HealthResponse')

export type HealthResponse = z.infer<typeof healthResponse>

export const infoResponse = z
  .object({
    model_name: z.string(),
    version: z.string(),
    parameters: z.string(),
    architecture: z.object({
      type: z.string(),
      family: z.string(),
      layers: z.number().int(),
      heads: z.number().int(),
      kv_heads: z.number().int(),
      head_dim: z.number().int(),
      d_model: z.number().int(),
      vocabulary_size: z.number().int(),
      context_length: z.number().int(),
    }),
    weights: z.string(),
    capabilities: z.array(z.string()),
    training_data: z.object({
      sources: z.array(z.string()).nullable(),
      total_tokens: z.string().nullable(),
      languages: z.array(z.string()).nullable(),
    }),
  })
  .openapi('InfoResponse')

export type InfoResponse = z.infer<typeof infoResponse>

export const openaiCard = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.number().int(),
    owned_by: z.string(),
  })
  .openapi('Model')

export const modelsResponse = z
  .object({
    object: z.literal('list'),
    data: z.array(openaiCard),
    models: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        description: z.string(),
        parameters: z.string().nullable().describe('Null until it was loaded.'),
        context_length: z.number().int().nullable(),
        status: z.literal('available'),
        state: z.enum(['loaded', 'loading', 'unloaded']),
        pinned: z.boolean().describe('Never unloaded.'),
        memory_usage: z.string().nullable().describe('GPU memory while it is loaded.'),
      }),
    ),
  })
  .openapi('ModelList')

export type ModelsResponse = z.infer<typeof modelsResponse>

const UNITS: readonly (readonly [number, string])[] = [
  [1e12, 'T'],
  [1e9, 'B'],
  [1e6, 'M'],
  [1e3, 'K'],
]

/** `4.9B`, `135M`: a count of parameters as people write it. */
export function countLabel(count: number): string {
  for (const [size, unit] of UNITS) {
    if (count < size) continue
    const scaled = count / size
    return `${scaled >= 100 ? scaled.toFixed(0) : scaled.toFixed(1).replace(/\.0$/, '')}${unit}`
  }
  return String(count)
}

/** `12.5GB`, `131.2MB` (decimal units, as the contract writes them). */
export function bytesLabel(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)}GB` : `${(bytes / 1e6).toFixed(1)}MB`
}

/** `2h 30m 15s`. */
export function durationLabel(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m ${seconds % 60}s`
}
