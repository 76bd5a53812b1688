/**
 * Who may reach the server: without keys nobody from another machine unless asked for, and no web page either way. A
 * page can make a browser send requests to 127.0.0.1, by DNS rebinding (caught by the Host header) or simply across
 * origins (caught by the Origin header); neither needs to read the answer to burn the GPU's time.
 */
import { EngineError } from '../engine/errors.ts'
import { ApiError } from './contract/errors.ts'

/** True for names and addresses that reach this machine only. */
export function isLoopback(host: string): boolean {
  const name = stripBrackets(host).toLowerCase()
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}

/**
 * Refuses a host that other machines can reach, where nobody needs a key.
 * @throws EngineError `bad_request` that says how to make a key, and what `--insecure` would mean
 */
export function checkBind(host: string, insecure: boolean, needsKeys: boolean): void {
  if (insecure || needsKeys || isLoopback(host)) return
  throw new EngineError(
    'bad_request',
    `Refusing to listen on ${host}: other machines could reach it, and this server has no API keys yet. ` +
      'Make one (illuminator keys create --name me), listen on 127.0.0.1 (the default), or pass --insecure to serve everybody who can connect.',
    { param: 'host' },
  )
}

/**
 * Refuses requests whose Host or Origin names another site.
 * @param allowed host names beside this machine's own; `null` switches the check off
 * @throws ApiError `host_not_allowed`
 */
export function checkCaller(
  host: string,
  origin: string | undefined,
  allowed: readonly string[] | null,
): void {
  if (allowed === null) return
  const passes = (name: string) => isLoopback(name) || allowed.includes(name)
  const name = hostName(`http://${host}`)
  if (name === null || !passes(name)) {
    throw new ApiError(
      'host_not_allowed',
      `The Host header '${host.slice(0, 100)}' is not one this server answers to.`,
    )
  }
  if (origin === undefined || (origin !== 'null' && !/^https?:/i.test(origin))) return
  const page = hostName(origin)
  if (page === null || !passes(page)) {
    throw new ApiError(
      'host_not_allowed',
      `Requests from web pages of '${origin.slice(0, 100)}' are not allowed.`,
    )
  }
}

/** The host name of a URL, lower case and without brackets; `null` when it has none. */
function hostName(url: string): string | null {
  return URL.canParse(url) ? stripBrackets(new URL(url).hostname) : null
}

function stripBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, '')
}
