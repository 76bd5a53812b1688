/**
 * The tiny checkpoints of `../shared/goldens`, one of every architecture, as llama.cpp would write them and back: every
 * number and everything that the engine reads of the config. (Their logits are held by `golden-tiny.gpu.test.ts`.)
 */
import { readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatOf } from '../../kernels/index.ts'
import { describeShared } from '../../test/shared-folder.ts'
import { attentionAt } from '../models/config.ts'
import { familyOf } from '../models/index.ts'
import { type Checkpoint, openCheckpoint } from '../weights/checkpoint.ts'
import { encodeGguf } from '../weights/gguf-fixture.ts'
import { convertGguf } from './convert.ts'
import { asGguf } from './llama-cpp-fixture.ts'

async function numbers(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  const { dtype, shape } = checkpoint.info(name)
  const weight = await checkpoint.readAll(name)
  const count = shape.reduce((a, b) => a * b, 1)
  return formatOf(dtype.toLowerCase()).decode({ weight }, 1, count)
}

/** What the engine reads of the config, layer by layer. */
function decoderOf({ config, generationConfig }: Checkpoint) {
  const decoder = familyOf(config).config(config, generationConfig)
  const layers = Array.from({ length: decoder.layers }, (_, i) => attentionAt(decoder, i))
  return { ...decoder, attention: layers }
}

describeShared('a tiny model through GGUF', (shared) => {
  const goldens = join(shared, 'goldens/tiny')
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'illuminator-round-trip-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test.each(readdirSync(goldens).sort())('%s', async (name) => {
    const before = await openCheckpoint(join(goldens, name))
    const gguf = join(folder, `${name}.gguf`)
    await writeFile(gguf, encodeGguf(await asGguf(before)))
    await convertGguf(gguf, join(folder, name))
    const after = await openCheckpoint(join(folder, name))
    try {
      expect(decoderOf(after)).toEqual(decoderOf(before))
      expect([...after.names()].sort()).toEqual([...before.names()].sort())
      for (const tensor of before.names()) {
        expect(after.info(tensor).shape, tensor).toEqual(before.info(tensor).shape)
        const [found, wanted] = [await numbers(after, tensor), await numbers(before, tensor)]
        const worst = found.reduce((most, value, i) => {
          return Math.max(most, Math.abs(value - (wanted[i] ?? Number.NaN)))
        }, 0)
        // Of what is far below 1, adding 1 takes the last bits.
        const isShifted = name.startsWith('gemma') && tensor.endsWith('norm.weight')
        expect(worst, tensor).toBeLessThanOrEqual(isShifted ? 2 ** -24 : 0)
      }
    } finally {
      await after.close()
      await before.close()
    }
  })
})
