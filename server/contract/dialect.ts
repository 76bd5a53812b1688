/**
 * The two dialects of the one API: the contract's own at the root paths, OpenAI's under `/v1`. Schemas and handlers are
 * shared; a dialect decides defaults, the status of a bad parameter, and the word in `error.type`.
 */
export type Dialect = 'contract' | 'openai'

/** The dialect that a request path speaks. */
export function dialectOf(path: string): Dialect {
  return path === '/v1' || path.startsWith('/v1/') ? 'openai' : 'contract'
}
