/**
 * What each route needs: the one written table. Whatever it does not name needs a key, so that a forgotten line shuts
 * a route and opens none; a test holds the table against the routes.
 */
import type { Scope } from './caller.ts'

/** `public`: nothing. `key`: any that is good. */
export type Need = 'public' | 'key' | Scope

/** A path ending in `/*` stands for all below it. */
const NEEDS: Readonly<Record<string, Need>> = {
  '/health': 'public',
  '/health/live': 'public',
  '/health/ready': 'public',
  // Files of the package, the same for everybody: what they show, they ask for with the key that they were given.
  '/': 'public',
  '/status': 'public',
  '/playground/*': 'public',
  '/docs': 'public',
  '/docs/*': 'public',
  '/openapi.json': 'public',
  '/oauth/token': 'public',
  '/.well-known/jwks.json': 'public',
  '/generate': 'generate',
  '/chat/completions': 'generate',
  '/v1/chat/completions': 'generate',
  '/v1/completions': 'generate',
  '/tokenize': 'generate',
  '/detokenize': 'generate',
  '/info': 'key',
  '/models': 'key',
  '/models/*': 'key',
  '/v1/models': 'key',
  '/v1/models/*': 'key',
  // The socket asks for the key itself: browsers cannot send a header with an upgrade.
  '/ws': 'key',
  '/batch/jobs': 'batch',
  '/batch/jobs/*': 'batch',
  '/v1/files': 'batch',
  '/v1/files/*': 'batch',
  '/v1/batches': 'batch',
  '/v1/batches/*': 'batch',
  '/metrics': 'admin',
}

/** What a path needs. As the router sees it: neither `//` nor a slash at the end nor `%2f` makes it another's. */
export function needOf(path: string): Need {
  return writtenNeed(path) ?? 'key'
}

/** The table's line for a path or a route's pattern; none: undefined. */
export function writtenNeed(path: string): Need | undefined {
  if (Object.hasOwn(NEEDS, path)) return NEEDS[path]
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    const below = `${path.slice(0, end)}/*`
    if (Object.hasOwn(NEEDS, below)) return NEEDS[below]
  }
  return undefined
}

/** Whether a request counts towards the limit of requests: what makes the engine work does, looking does not. */
export function isCounted(method: string, path: string): boolean {
  const need = needOf(path)
  return method === 'POST' && (need === 'generate' || need === 'batch')
}
