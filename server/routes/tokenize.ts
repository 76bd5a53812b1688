/** `POST /tokenize` and `POST /detokenize`. */
import { detokenizeRequest, tokenizeRequest } from '../contract/tokenize.ts'
import { admit, checkIds, type Deps, type RequestContext } from './env.ts'

export async function tokenize(c: RequestContext, deps: Deps): Promise<Response> {
  const { engine, body } = await admit(c, deps, tokenizeRequest)
  const tokens = engine.tokenize(body.text)
  return c.json({ tokens, token_count: tokens.length, text_length: codePoints(body.text) })
}

export async function detokenize(c: RequestContext, deps: Deps): Promise<Response> {
  const { engine, body } = await admit(c, deps, detokenizeRequest)
  checkIds(engine, body.tokens, 'tokens')
  return c.json({ text: engine.detokenize(body.tokens), token_count: body.tokens.length })
}

/** Length in Unicode code points: a string's own length counts UTF-16 halves. */
function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}
