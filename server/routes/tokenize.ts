/** `POST /tokenize` and `POST /detokenize`. */
import { detokenizeRequest, tokenizeRequest } from '../contract/tokenize.ts'
import { admit } from './admit.ts'
import { checkIds, type Deps, type RequestContext } from './env.ts'

export const tokenize = (c: RequestContext, deps: Deps): Promise<Response> =>
  admit(c, deps, tokenizeRequest, async ({ engine }, { text }) => {
    const tokens = engine.tokenize(text)
    return c.json({ tokens, token_count: tokens.length, text_length: codePoints(text) })
  })

export const detokenize = (c: RequestContext, deps: Deps): Promise<Response> =>
  admit(c, deps, detokenizeRequest, async ({ engine }, { tokens }) => {
    checkIds(engine, tokens, 'tokens')
    return c.json({ text: engine.detokenize(tokens), token_count: tokens.length })
  })

/** Length in Unicode code points: a string's own length counts UTF-16 halves. */
function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}
