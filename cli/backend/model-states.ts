/** Which models a server of ours has, loaded or not: `GET /models`. */
import { z } from 'zod'
import type { Server } from './server.ts'
import { ServerError } from './server-error.ts'

const body = z.object({
  models: z.array(
    z.looseObject({
      id: z.string(),
      state: z.enum(['loaded', 'loading', 'unloaded']),
      pinned: z.boolean(),
      memory_usage: z.string().nullable(),
      context_length: z.number().nullable(),
    }),
  ),
})

/** @throws ServerError */
export async function modelStates(
  server: Server,
  signal: AbortSignal,
): Promise<z.output<typeof body>['models']> {
  const known = body.safeParse(await server.get('/models', signal))
  if (known.success) return known.data.models
  throw new ServerError(
    `${server.url} does not tell which models are loaded: it is no illuminator server.`,
  )
}
