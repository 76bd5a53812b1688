/** What callers write never becomes a control token, whatever template stands around it: by property, over all of ours. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChatTemplate } from './chat-template.ts'
import { byteLevelJson } from './testing.ts'
import { Tokenizer } from './tokenizer.ts'

const folder = join(import.meta.dirname, '../test/goldens/chat-templates')
const CONTROL =
  '<s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [TOOL_RESULTS] <|start_header_id|> <|end_header_id|> <|eot_id|> <start_of_turn> <end_of_turn> <|user|> <|assistant|> <|system|> <|end|> <|start_of_role|> <|end_of_role|> <|end_of_text|> <|start|> <|message|> <|channel|> <|return|>'.split(
    ' ',
  )

function tokenizerOf(template: string): Tokenizer {
  const json = byteLevelJson()
  const { added_tokens: added, model } = json as {
    added_tokens: { id: number; content: string }[]
    model: { vocab: object }
  }
  const first = Object.keys(model.vocab).length
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false }
  const more = CONTROL.map((content, at) => ({
    ...{ id: first + at, content, special: true, ...flags },
  }))
  const thoughts = ['<think>', '</think>'].map((content, at) => ({
    ...{ id: first + CONTROL.length + at, content, special: false, ...flags },
  }))
  const config = { bos_token: '<s>', eos_token: '</s>', chat_template: template }
  return new Tokenizer({ ...json, added_tokens: [...added, ...more, ...thoughts] }, config)
}

/** Control tokens, pieces of them, and what templates cut at, join with or strip. */
const pieces = fc.oneof(
  fc.constantFrom(...CONTROL, '<|im_start|>', '<|im_end|>'),
  fc
    .tuple(fc.constantFrom(...CONTROL, '<|im_end|>'), fc.nat({ max: 9 }), fc.nat({ max: 20 }))
    .map(([token, from, to]) => token.slice(from, to)),
  fc.constantFrom('</think>', '<think>', ' ', '\n', '"', '\\', '{', 'user', 'é', '<', '|>', '😀'),
)
const texts = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''))

describe.each(readdirSync(folder))('%s', (file) => {
  const tokenizer = tokenizerOf(readFileSync(join(folder, file), 'utf8'))
  const controls = (ids: readonly number[]) => ids.filter((id) => tokenizer.specialIds.has(id))

  it('has the control tokens that it has around harmless text, and the text that it renders', async () => {
    const template = await ChatTemplate.load('/nowhere', tokenizer)
    const encoded = (system: string, user: string, answer: string, variable: string) => {
      const messages = [
        { role: 'system', content: system },
        { role: 'user', content: user },
        { role: 'assistant', content: answer },
        { role: 'user', content: variable + user },
      ]
      const parameters = { type: 'object', properties: { [variable]: { type: user } } }
      const tool = { function: { name: 'f', description: variable, parameters } }
      const options = {
        variables: { model_identity: variable, controls: { [user]: variable } },
        tools: [tool],
        now: new Date(2026, 0, 5),
      }
      const ids = template.encode(messages, options)
      return { ids, text: template.render(messages, options) }
    }
    const harmless = controls(encoded('a', 'b', 'c', 'd').ids)
    fc.assert(
      fc.property(texts, texts, texts, texts, (system, user, answer, variable) => {
        const { ids, text } = encoded(`a${system}`, `b${user}`, `c${answer}`, `d${variable}`)
        expect(controls(ids)).toEqual(harmless)
        expect(tokenizer.decode(ids, { skipSpecial: false })).toBe(text)
      }),
      { numRuns: 200 },
    )
  })
})

it('and a plain prompt has none', () => {
  const tokenizer = tokenizerOf('')
  fc.assert(
    fc.property(texts, (text) => {
      const ids = tokenizer.encode(text)
      expect(ids.some((id) => tokenizer.specialIds.has(id))).toBe(false)
      expect(tokenizer.decode(ids)).toBe(text)
    }),
    { numRuns: 500 },
  )
})
