/** A batch's prompts as requests to the application itself: one validator and one handler serve all. */
import { asCaller } from '../internal.ts'
import type { Ask } from './runner.ts'

interface App {
  fetch(request: Request, bindings: object): Response | Promise<Response>
}

export function askThrough(app: () => App): Ask {
  return async ({ endpoint, caller, body }, signal) => {
    const request = new Request(`http://localhost${endpoint}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...(JSON.parse(body) as object), priority: 'batch' }),
      signal,
    })
    return app().fetch(request, asCaller(caller))
  }
}
