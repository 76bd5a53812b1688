/** docs/batch.md: what it shows as prompts and results is what is read and written. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readPromptLine } from '../../server/index.ts'
import { readLine, writeLine } from './result-line.ts'

const page = readFileSync(new URL('../../docs/batch.md', import.meta.url), 'utf8')
const [prompts = [], results = []] = [...page.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(
  ([, block = '']) => block.trimEnd().split('\n'),
)

test('its prompts are taken', () => {
  expect(prompts.map((line) => readPromptLine(Buffer.from(line)))).toEqual([
    {
      prompt: 'Write a haiku about lamps:\n',
      returnFullText: false,
      options: { maxTokens: 40, stop: ['\n\n'] },
    },
    { prompt: '2 + 2 =', returnFullText: true, options: { maxTokens: 3, temperature: 0 } },
  ])
})

test('its results are lines as they are written', () => {
  expect(results).toHaveLength(2)
  for (const line of results) {
    const result = readLine(line) ?? expect.fail(`no result: ${line}`)
    expect(writeLine(result)).toBe(`${line}\n`)
  }
})
