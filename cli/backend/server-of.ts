/** The server that flags, variables and configuration name. */
import type { ServerFlags } from '../client/options.ts'
import { type Io, note } from '../io.ts'
import { Server } from './server.ts'

export function serverOf(io: Io, flags: ServerFlags & { url: string }): Server {
  return new Server({
    url: flags.url,
    apiKey: flags.apiKey,
    timeoutMs: flags.timeout * 1000,
    maxRetries: flags.maxRetries,
    retryDelayMs: flags.retryDelay * 1000,
    tell: (line) => note(io, line),
  })
}
