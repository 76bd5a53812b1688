/** The second turn of a chat: how much of the first, prompt and answer, is found in the cache. */
import type { ChatMessage, GenerateResult } from '../../../engine/index.ts'
import { freshSalt } from '../../cold.ts'
import { checkIds } from '../../greedy.ts'
import { figureOf, type Prepare, ratiosOf, type Scenario } from './scenario.ts'

/** Said by the user before and after the first answer. */
const CONVERSATIONS: readonly (readonly [string, string])[] = [
  [
    'I have two weeks off in spring and would like to see the coast of Portugal by train. Where should I start?',
    'And what should I eat there?',
  ],
  [
    'Explain to a child of ten why the sky is blue at noon and red in the evening. Use an everyday comparison.',
    'She asks why the sea is blue then. What do I tell her?',
  ],
  [
    'Write a short thank-you note to my neighbours, who watered our plants and fed the cat for three weeks.',
    'Make it a little funnier, please.',
  ],
]
/** Decoded in the second turn: enough to see that what was found is right. */
const TOKENS = 8

export const secondTurn: Prepare = async (engine, { answer }): Promise<Scenario> => {
  const run = (
    messages: readonly ChatMessage[],
    maxTokens: number,
    cacheSalt: string,
  ): Promise<GenerateResult> =>
    engine.chat(messages, { maxTokens, temperature: 0, cacheSalt }).result()
  const found: number[] = []
  const earlier: number[] = []
  return {
    async repeat(number) {
      const [opening, reply] = CONVERSATIONS[number % CONVERSATIONS.length] as [string, string]
      const salt = freshSalt()
      const before: ChatMessage[] = [{ role: 'user', content: opening }]
      const first = await run(before, answer, salt)
      const messages: ChatMessage[] = [
        ...before,
        { role: 'assistant', content: first.text },
        { role: 'user', content: reply },
      ]
      const second = await run(messages, TOKENS, salt)
      const cold = await run(messages, TOKENS, freshSalt())
      const { cachedTokens } = second.usage
      checkIds(`In a second turn with ${cachedTokens} tokens cached`, second.ids, cold.ids)
      found.push(cachedTokens)
      earlier.push(first.usage.promptTokens + first.usage.completionTokens)
    },
    async figures() {
      const share = ratiosOf(found, earlier).map((ratio) => ratio * 100)
      return [
        figureOf('second turn: earlier tokens', 'tokens', earlier),
        figureOf('second turn: of them in the cache', '%', share, { is: '>=', bound: 95 }),
      ]
    },
  }
}
