/** Files of prompts: one a line, or JSON lines; a file that is wrong somewhere is refused as a whole. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { readPromptLine } from '../../server/index.ts'
import { UsageError } from '../exit.ts'
import { type Prompt, readPrompts } from './prompts.ts'

const folder = mkdtempSync(join(tmpdir(), 'illuminator-prompts-'))
const jsonLine = async () => readPromptLine

function read(name: string, content: string | Uint8Array): Promise<Prompt[]> {
  const path = join(folder, name)
  writeFileSync(path, content)
  return readPrompts(path, Readable.from([]), jsonLine)
}
async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(UsageError)
  return (error as UsageError).message
}

test('a line is a prompt, whatever ends it; blank ones are none', async () => {
  const prompts = await read('a.txt', '\uFEFFone\r\n\n  two  \n \t\r\n{"prompt":"three"}\n💡')
  expect(prompts.map(({ text }) => text)).toEqual(['one', '  two  ', '{"prompt":"three"}', '💡'])
  expect(prompts.map(({ index }) => index)).toEqual([0, 1, 2, 3])
  expect(prompts[0]).toEqual({ index: 0, text: 'one', returnFullText: false, options: {} })
})

test('a line of JSONL takes what POST /generate takes', async () => {
  const line = {
    prompt: 'a\nb',
    max_tokens: 5,
    top_k: -1,
    stop_sequences: ['.'],
    return_full_text: true,
    stream: false,
    seed: null,
  }
  const [prompt] = await read('a.jsonl', `${JSON.stringify(line)}\n`)
  expect(prompt).toEqual({
    index: 0,
    text: 'a\nb',
    returnFullText: true,
    options: { maxTokens: 5, topK: 0, stop: ['.'] },
  })
})

test('stdin is read for "-"', async () => {
  const [one, two] = await readPrompts('-', Readable.from(['on', 'e\ntwo\n']), jsonLine)
  expect([one?.text, two?.text]).toEqual(['one', 'two'])
})

test.each([
  ['{"prompt":"x"}\n{"prompt":1}', /a.jsonl, line 2: The parameter 'prompt' must be a string/],
  ['{"prompt":"x","max_token":1}', /line 1: Unknown parameter 'max_token'/],
  ['{"prompt":"x","temperature":3}', /line 1: The parameter 'temperature' must be/],
  ['{"prompt":"x","stream":true}', /line 1: The parameter 'stream' is for the whole batch/],
  ['{"prompt":"x","model":"m"}', /line 1: The parameter 'model' is for the whole batch/],
  ['\n\n{"prompt"', /line 3: The line is not valid JSON/],
  ['"x"', /line 1: The line must be/],
])('%s is refused', async (content, message) => {
  expect(await refusal(read('a.jsonl', content))).toMatch(message)
})

test('what is no text, empty or not there is refused', async () => {
  expect(await refusal(read('a.txt', Uint8Array.of(0x61, 0x0a, 0xff)))).toMatch(
    /line 2: it is not UTF-8/,
  )
  expect(await refusal(read('a.txt', '\n \n'))).toMatch(/holds no prompt/)
  const nowhere = readPrompts(join(folder, 'nowhere.txt'), Readable.from([]), jsonLine)
  expect(await refusal(nowhere)).toMatch(/prompts cannot be read: ENOENT/)
})
