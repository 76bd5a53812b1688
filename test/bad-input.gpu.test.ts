/** Broken folders and wrong requests through the real command line: one clear line on stderr, a non-zero code, an empty stdout. */
import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { encodeSafetensors, rawFile, removeFolder, zeros } from '../engine/weights/fixture.ts'
import { type Ended, runCommand } from './command-line.ts'
import { type RandomLlamaOptions, writeRandomLlama } from './random-llama.ts'

const WEIGHTS = 'model.safetensors'
const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await removeFolder(folder)
})

async function broken(
  spoil: (folder: string) => Promise<unknown>,
  options: RandomLlamaOptions = {},
): Promise<string> {
  const { folder } = await writeRandomLlama({ layers: 1, text: true, ...options })
  folders.push(folder)
  await spoil(folder)
  return folder
}

async function changeConfig(folder: string, change: Record<string, unknown>): Promise<void> {
  const path = join(folder, 'config.json')
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  await writeFile(path, JSON.stringify({ ...config, ...change }))
}

/** The error's line; progress lines before it are no part of it. */
function errorOf({ code, stdout, stderr }: Ended): string {
  expect(code, stderr).toBeGreaterThanOrEqual(1)
  expect(code, stderr).toBeLessThanOrEqual(2)
  expect(stdout).toBe('')
  const lines = stderr.trim().split('\n')
  const errors = lines.filter((line) => line.startsWith('illuminator: '))
  expect(errors, stderr).toHaveLength(1)
  expect(lines.at(-1)).toBe(errors[0])
  // Dawn's own warnings may hold one of its C++ traces; none of ours is shown.
  expect(stderr).not.toMatch(/\n\s+at .*\.[jt]s/)
  return errors[0] ?? ''
}

type Case = [
  name: string,
  says: RegExp,
  spoil: (folder: string) => Promise<unknown>,
  options?: RandomLlamaOptions,
]

describe('a broken folder', () => {
  const cases: Case[] = [
    ['truncated weights', /safetensors/, (folder) => truncate(join(folder, WEIGHTS), 5000)],
    [
      'a header that lies about its length',
      /header/,
      (folder) => writeFile(join(folder, WEIGHTS), rawFile('{}', new Uint8Array(8), 2n ** 60n)),
    ],
    [
      'a missing shard',
      /model-00002-of-00002\.safetensors/,
      (folder) => rm(join(folder, 'model-00002-of-00002.safetensors')),
      { shards: 2 },
    ],
    [
      'a missing tensor',
      /self_attn\.v_proj\.weight/,
      (folder) =>
        writeFile(
          join(folder, WEIGHTS),
          encodeSafetensors({ 'model.embed_tokens.weight': zeros('F32', 266, 64) }),
        ),
    ],
    ['a wrong shape', /down_proj/, (folder) => changeConfig(folder, { intermediate_size: 96 })],
    [
      'an unknown architecture',
      /SpecialForCausalLM.*LlamaForCausalLM/,
      (folder) =>
        changeConfig(folder, { architectures: ['SpecialForCausalLM'], model_type: 'special' }),
    ],
    [
      'a broken config.json',
      /config\.json/,
      (folder) => writeFile(join(folder, 'config.json'), '{"a":'),
    ],
  ]
  test.each(cases)('%s', async (_, says, spoil, options) => {
    const folder = await broken(spoil, options)
    expect(errorOf(await runCommand(['cli', 'logits', folder, '--ids', '1']))).toMatch(says)
  })
})

describe('a wrong request', () => {
  test('text without a tokenizer, an empty prompt, a prompt over the context', async () => {
    const folder = await broken(async () => {}, { context: 64 })
    const generate = (prompt: string, model = folder) =>
      runCommand(['cli', 'generate', prompt, '--model', model, '--max-tokens', '2'])
    expect(errorOf(await generate(''))).toMatch(/prompt/)
    expect(errorOf(await generate('1234567 '.repeat(20)))).toMatch(/160.*64/)
    const bare = await broken((own) => rm(join(own, 'tokenizer.json')))
    expect(errorOf(await generate('hello', bare))).toMatch(/tokenizer/)
  })

  test('a GPU where there is none', async () => {
    const folder = await broken(async () => {})
    // No Vulkan driver can be found: no GPU either, whatever the machine has.
    const env = {
      ILLUMINATOR_ADAPTER: 'gpu',
      VK_ICD_FILENAMES: '/nonexistent',
      VK_DRIVER_FILES: '/nonexistent',
    }
    const ended = await runCommand(['cli', 'logits', folder, '--ids', '1'], env)
    expect(errorOf(ended)).toMatch(/gpu/i)
  })
})
