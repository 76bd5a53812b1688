/** The BF16 form of a folder: the packed values rounded, whatever packing, shards and number types it had. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openCheckpoint } from '../engine/weights/checkpoint.ts'
import { removeFolder } from '../engine/weights/fixture.ts'
import { formatOf } from '../kernels/index.ts'
import { type RandomLlamaOptions, writeRandomLlama } from '../test/random-llama.ts'
import { expandBf16 } from './expand-bf16.ts'

let scratch = ''
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'illuminator-bf16-'))
})
afterAll(() => rm(scratch, { recursive: true }))

const forms: [string, RandomLlamaOptions][] = [
  ['4 bits in groups of 32', { affine: { bits: 4, group: 32 } }],
  [
    '8 bits in groups of 64, two shards, biases, own head',
    { affine: { bits: 8, group: 64 }, shards: 2, biases: true, tied: false },
  ],
  ['plain F16', { dtype: () => 'F16' }],
]

it.each(forms)('%s', async (name, options) => {
  const model = await writeRandomLlama({ text: true, ...options })
  const target = join(scratch, name)
  await expandBf16(model.folder, target)
  const [from, to] = [await openCheckpoint(model.folder), await openCheckpoint(target)]
  try {
    expect([...to.names()].sort()).toEqual([...model.values.keys()].sort())
    for (const [tensor, values] of model.values) {
      expect(to.info(tensor).dtype).toBe('BF16')
      const rounded = formatOf('bf16').encode(values, 1, values.length).weight
      expect(Buffer.compare(await to.readAll(tensor), rounded), tensor).toBe(0)
    }
    expect(to.config).not.toHaveProperty('quantization')
    expect(to.config).toMatchObject({ torch_dtype: 'bfloat16', vocab_size: from.config.vocab_size })
    const tokenizers = [model.folder, target].map((folder) =>
      readFile(join(folder, 'tokenizer.json'), 'utf8'),
    )
    const [before, after] = await Promise.all(tokenizers)
    expect(after).toBe(before)
  } finally {
    await from.close()
    await to.close()
    await removeFolder(model.folder)
  }
})
