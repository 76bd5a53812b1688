/** `POST /tokenize` and `/detokenize`: text to token ids and back, with the model's own tokenizer. */
import { z } from '@hono/zod-openapi'
import { samplingFields, tokenId } from './fields.ts'

export const tokenizeRequest = z
  .strictObject({
    text: z.string({ error: 'must be a string' }),
    model: samplingFields.model,
  })
  .openapi('TokenizeRequest')

export const tokenizeResponse = z
  .object({
    tokens: z.array(z.number().int()),
    token_count: z.number().int(),
    text_length: z.number().int().describe('Unicode code points.'),
  })
  .openapi('TokenizeResponse')

export const detokenizeRequest = z
  .strictObject({
    tokens: z.array(tokenId, { error: 'must be an array of token ids' }),
    model: samplingFields.model,
  })
  .openapi('DetokenizeRequest')

export const detokenizeResponse = z
  .object({ text: z.string(), token_count: z.number().int() })
  .openapi('DetokenizeResponse')
