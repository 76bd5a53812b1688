/** Quantizing on load and into a folder: the same numbers both ways, near those of the floats, and clear refusals. */
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  type RandomLlama,
  type RandomLlamaOptions,
  writeRandomLlama,
} from '../test/random-llama.ts'
import { referenceLogits } from '../test/reference-llama.ts'
import type { QuantizeType } from './api.ts'
import { Engine } from './engine.ts'
import { type QuantizeProgress, quantizeModel } from './quantize-model.ts'
import { removeFolder } from './weights/fixture.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await removeFolder(folder)
})

const IDS = [1, 7, 42, 99, 3]

async function random(options: RandomLlamaOptions): Promise<RandomLlama> {
  const model = await writeRandomLlama(options)
  folders.push(model.folder, `${model.folder}-q`)
  return model
}

async function logitsOf(folder: string, quantize?: QuantizeType) {
  const engine = await Engine.load(folder, {
    ...(quantize ? { quantize } : {}),
    maxSequences: 1,
    device: { inThread: true },
  })
  try {
    return { values: (await engine.logits(IDS)).last, weights: engine.info.weights }
  } finally {
    await engine.close()
  }
}

/** Cosine of the angle between two rows of logits. */
function likeness(a: Float64Array, b: Float32Array): number {
  const dot = (x: Iterable<number>, y: ArrayLike<number>) =>
    [...x].reduce((sum, value, i) => sum + value * y[i]!, 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

describe('on load, and in a folder', () => {
  test.each([
    // Mixed number types meet in f32; a head of its own; biases; 80 columns, which stay as they are.
    [
      'int8',
      { seed: 1, layers: 1, biases: true, tied: false, dtype: mixed, intermediate: 80 },
      { bits: 8, group_size: 32, 'model.layers.0.mlp.down_proj': false },
      'affine-8bit/32',
      0.9995,
    ],
    // Shards; 192 columns are no groups of 128, but 256 are.
    [
      'int4/128',
      { seed: 3, layers: 1, hidden: 192, intermediate: 256, dtype: bf16, shards: 3 },
      {
        bits: 4,
        group_size: 128,
        'model.embed_tokens': { bits: 8, group_size: 64 },
        'model.layers.0.mlp.up_proj': { bits: 4, group_size: 64 },
      },
      'affine-4bit/64',
      0.9,
    ],
  ] as const)(
    '%s: the same bits both ways',
    async (quantize, options, quantization, weights, least) => {
      const model = await random(options)
      const { folder } = model
      const onLoad = await logitsOf(folder, quantize)
      expect(onLoad.weights).toBe(weights)
      const [floats] = referenceLogits(model, IDS, [IDS.length - 1]) as [Float64Array]
      expect(likeness(floats, onLoad.values)).toBeGreaterThan(least)
      const steps: QuantizeProgress[] = []
      const made = await quantizeModel(folder, `${folder}-q`, {
        quantize,
        shardBytes: 30_000,
        onProgress: (step) => steps.push(step),
      })
      expect(made).toMatchObject({ folder: `${folder}-q`, source: folder, weights })
      const total = made.sourceBytes
      expect(steps.at(-1)).toEqual({ phase: 'quantize', done: total, total })
      const config = JSON.parse(
        await readFile(join(`${folder}-q`, 'config.json'), 'utf8'),
      ) as object
      expect(config).toMatchObject({ quantization })
      const shards = (await readdir(`${folder}-q`)).filter((name) => name.endsWith('.safetensors'))
      expect(shards.length).toBeGreaterThan(1)
      const fromFolder = await logitsOf(`${folder}-q`)
      expect(fromFolder.weights).toBe(weights)
      expect(fromFolder.values).toEqual(onLoad.values)
    },
  )
})

describe('is refused', () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, -70_000])(
    'where a weight is %d',
    async (bad) => {
      const { folder } = await random({ seed: 5 })
      await spoil(folder, 'model.layers.1.mlp.up_proj.weight', 64 * 3 + 9, bad)
      const message = expect.stringMatching(
        /"model\.layers\.1\.mlp\.up_proj\.weight" is \S+ at \[3, 9\]/,
      ) as string
      await expect(logitsOf(folder, 'int4')).rejects.toMatchObject({ code: 'model', message })
      await expect(quantizeModel(folder, `${folder}-q`)).rejects.toMatchObject({
        code: 'model',
        message,
      })
      await expect(stat(`${folder}-q`)).rejects.toThrow('ENOENT')
      await expect(stat(`${folder}-q.partial`)).rejects.toThrow('ENOENT')
    },
  )

  test('where the model is quantized already, or the type is none', async () => {
    const { folder } = await random({ seed: 6, affine: { bits: 4, group: 32 } })
    const refusal = {
      code: 'bad_request',
      param: 'quantize',
      message: expect.stringMatching(
        /quantized already: .* 4 bits in groups of 32.*Leave it out/s,
      ) as string,
    }
    await expect(logitsOf(folder, 'int8')).rejects.toMatchObject(refusal)
    await expect(quantizeModel(folder, `${folder}-q`)).rejects.toMatchObject(refusal)
    const unknown = logitsOf(folder, 'int5' as QuantizeType)
    await expect(unknown).rejects.toMatchObject({ code: 'bad_request', param: 'quantize' })
  })

  test('where the folder is there already; force replaces a model, and nothing else', async () => {
    const { folder } = await random({ seed: 7 })
    const out = `${folder}-q`
    await mkdir(out)
    await writeFile(join(out, 'notes.txt'), 'mine')
    const force = { quantize: 'int8', force: true } as const
    await expect(quantizeModel(folder, out, force)).rejects.toThrow('something other than a model')
    await expect(quantizeModel(folder, folder, force)).rejects.toThrow('is the model itself')
    await copyFile(join(folder, 'config.json'), join(out, 'config.json'))
    await expect(quantizeModel(folder, out)).rejects.toThrow('is there already')
    expect(await readdir(out)).toContain('notes.txt')
    await quantizeModel(folder, out, force)
    expect(await readdir(out)).toEqual(['config.json', 'model.safetensors'])
    await rm(out, { recursive: true })
  })

  test('what is cut short leaves nothing behind', async () => {
    const { folder } = await random({ seed: 8 })
    const controller = new AbortController()
    const { signal } = controller
    const cut = quantizeModel(folder, `${folder}-q`, {
      signal,
      onProgress: () => controller.abort(),
    })
    await expect(cut).rejects.toMatchObject({ code: 'aborted' })
    await expect(stat(`${folder}-q`)).rejects.toThrow('ENOENT')
    await expect(stat(`${folder}-q.partial`)).rejects.toThrow('ENOENT')
  })
})

function mixed(name: string): 'F16' | 'F32' | 'BF16' {
  return /k_proj/.test(name) ? 'F16' : /norm/.test(name) ? 'F32' : 'BF16'
}

function bf16(): 'BF16' {
  return 'BF16'
}

/** Puts an f32 into a tensor of a file. */
async function spoil(folder: string, tensor: string, index: number, value: number): Promise<void> {
  const path = join(folder, 'model.safetensors')
  const bytes = await readFile(path)
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<
    string,
    { data_offsets: [number, number] }
  >
  bytes.writeFloatLE(value, 8 + length + header[tensor]!.data_offsets[0] + index * 4)
  await writeFile(path, bytes)
}
