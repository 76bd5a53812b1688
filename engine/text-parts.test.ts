/** A folder's tokenizer and templates as the engine uses them: conversations with tools, bases without a template. */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { byteLevelJson } from '../tokenizer/testing.ts'
import type { ChatMessage, ChatOptions } from './api.ts'
import { defaultsOf } from './defaults.ts'
import { chatIds, checkTemplateFile, loadText, type TextParts } from './text-parts.ts'

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'illuminator-text-'))
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(byteLevelJson()))
})

async function prompt(template: string, messages: ChatMessage[], options: ChatOptions = {}) {
  const file = join(folder, 'template.jinja')
  await writeFile(file, template)
  const parts = (await loadText(folder, file)) as TextParts
  return parts.tokenizer.decode(chatIds(parts, messages, options), { skipSpecial: false })
}

test('tools, calls and variables reach the template; arguments as an object', async () => {
  const template =
    '{{ tools | tojson }} {{ mood }}{% for m in messages %} {{ m.tool_calls[0].function.arguments | tojson if m.tool_calls else m.tool_call_id }}{% endfor %}'
  const call = (text: string | object): ChatMessage => ({
    role: 'assistant',
    content: '',
    tool_calls: [{ id: 'c1', function: { name: 'f', arguments: text as string } }],
  })
  const messages = [call('{"a": [1]}'), call({ b: 2 }), call('')]
  const tool: ChatMessage = { role: 'tool', content: 'x', tool_call_id: 'c1' }
  const options = { tools: [{ type: 'function' }], templateVariables: { mood: 'calm' } }
  expect(await prompt(template, [...messages, tool], options)).toBe(
    '[{"type": "function"}] calm {"a": [1]} {"b": 2} {} c1',
  )
  await expect(prompt(template, [call('{"a"')])).rejects.toMatchObject({
    code: 'bad_request',
    param: 'messages[0].tool_calls[0]',
  })
})

test('a model without a template says what to do, and takes one from a file', async () => {
  const bare = (await loadText(folder, undefined)) as TextParts
  const hello = [{ role: 'user', content: 'Hello' }]
  expect(() => chatIds(bare, hello, {})).toThrow(/--chat-template FILE/)
  expect(await prompt('{{ messages[0].content }}', hello)).toBe('Hello')
  await expect(checkTemplateFile(join(folder, 'none.jinja'))).rejects.toMatchObject({
    code: 'bad_request',
    param: 'chatTemplate',
  })
})

test('generation_config.json: what is in range is a default, and do_sample false is greedy', () => {
  const sampled = {
    do_sample: true,
    temperature: 0.6,
    top_k: 20,
    top_p: 0.95,
    min_p: 0.1,
    typical_p: 0.9,
    repetition_penalty: 1.05,
    max_new_tokens: 512,
  }
  expect(defaultsOf(sampled)).toEqual({
    temperature: 0.6,
    topK: 20,
    topP: 0.95,
    minP: 0.1,
    typicalP: 0.9,
    repetitionPenalty: 1.05,
    maxTokens: 512,
  })
  expect(defaultsOf({ ...sampled, do_sample: false }).temperature).toBe(0)
  const wild = { temperature: 9, top_k: -1, top_p: 2, max_new_tokens: 0, repetition_penalty: 'x' }
  expect(defaultsOf(wild)).toEqual({})
})
