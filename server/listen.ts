/** Binds a server to an address, and says what stands in the way and what to do about it. */
import type { Server } from 'node:http'
import { EngineError } from '../engine/errors.ts'

export const DEFAULT_HOST = '127.0.0.1'

/**
 * Listens.
 * @returns the base URL, with the actual port
 * @throws EngineError `bad_request` that names the option to change
 */
export function listen(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(bindError(cause, host, port)))
    server.listen(port, host, () => resolve(urlOf(server, host)))
  })
}

function bindError(cause: NodeJS.ErrnoException, host: string, port: number): EngineError {
  const param = cause.code === 'EADDRINUSE' || cause.code === 'EACCES' ? 'port' : 'host'
  const why =
    cause.code === 'EADDRINUSE'
      ? `port ${port} is already in use. Stop the other server, or choose another port with --port (0 takes any).`
      : cause.code === 'EACCES'
        ? `port ${port} needs more rights than this process has. Choose one above 1023 with --port.`
        : `${cause.message}. Give an address of this machine with --host.`
  return new EngineError('bad_request', `Cannot listen on ${host}: ${why}`, { cause, param })
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const wildcard = host === '0.0.0.0' || host === '::'
  const name = wildcard ? DEFAULT_HOST : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}
