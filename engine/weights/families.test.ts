/** For every family: a folder with the tensors that its config implies passes; one missing, extra or misshapen is named. */
import { afterEach, describe, expect, it } from 'vitest'
import type { DecoderConfig } from '../models/config.ts'
import { CONFIGS } from '../models/fixture.ts'
import { familyOf } from '../models/index.ts'
import { type TensorNames, withoutPrefix } from '../models/tensor-names.ts'
import { openCheckpoint } from './checkpoint.ts'
import { type CheckedTensors, checkTensors } from './expected.ts'
import {
  encodeSafetensors,
  type FixtureTensor,
  removeFolder,
  writeFolder,
  zeros,
} from './fixture.ts'
import { layerSource } from './layout.ts'
import {
  biasOf,
  type MatrixSource,
  matrixOf,
  normOf,
  positionsOf,
  storedShape,
  tensorOf,
} from './sources.ts'

const made: string[] = []
afterEach(async () => {
  for (const folder of made.splice(0)) await removeFolder(folder)
})

type Tensors = Record<string, FixtureTensor>

/** Everything that a model of this config has, written down without the check under test. */
function tensorsOf(config: DecoderConfig, names: TensorNames): Tensors {
  const all: Tensors = {}
  const matrix = ({ modules, columns }: MatrixSource): void => {
    for (const module of modules) {
      const rows = modules
        .filter(({ path, stack }) => path === module.path && stack?.index === module.stack?.index)
        .reduce((sum, one) => sum + one.rows, 0)
      all[tensorOf(module)] = zeros('BF16', ...storedShape({ ...module, rows }, columns))
      const bias = biasOf(module)
      if (bias) all[bias] = zeros('BF16', ...(module.stack ? [module.stack.count, rows] : [rows]))
    }
  }
  const vectors = (...of: ({ name: string; length: number } | null | undefined)[]): void => {
    for (const one of of) if (one) all[one.name] = zeros('F32', one.length)
  }
  const { vocabularySize: vocabulary, hiddenSize: hidden } = config
  matrix(matrixOf('', names.embedding, vocabulary, hidden))
  if (names.positions) matrix(positionsOf(names.positions, config))
  if (!config.tiedHead) matrix(matrixOf('', names.head, vocabulary, hidden))
  const last = normOf(names.finalNorm, config)
  vectors(last.weight, last.bias)
  for (let i = 0; i < config.layers; i++) {
    const layer = layerSource(config, names, i)
    for (const part of Object.values(layer)) {
      if (part && 'modules' in part) matrix(part)
      else if (part && 'weight' in part) vectors(part.weight, part.bias)
      else if (part && 'length' in part) vectors(part)
    }
    for (const part of Object.values(layer.mlp)) if (typeof part === 'object') matrix(part)
  }
  return all
}

async function check(json: object, tensors: Tensors): Promise<CheckedTensors> {
  const folder = await writeFolder({
    'config.json': json,
    'model.safetensors': encodeSafetensors(tensors),
  })
  made.push(folder)
  const checkpoint = await openCheckpoint(folder)
  try {
    const family = familyOf(checkpoint.config)
    return checkTensors(checkpoint, family.config(checkpoint.config, {}), family.tensors)
  } finally {
    await checkpoint.close()
  }
}

describe.each(Object.entries(CONFIGS))('%s', (_, json) => {
  const family = familyOf(json)
  const config = family.config(json, {})
  const right = tensorsOf(config, family.tensors)
  const { q, down, experts } = family.tensors.layer(1)
  const some = `${q}.weight`
  const last = down ? `${down}.weight` : experts?.kind === 'stacked' ? experts.down : some

  it('passes', async () => {
    const { parameters, formats } = await check(json, right)
    const counts = Object.values(right).map(({ shape }) => shape.reduce((a, b) => a * b, 1))
    expect(parameters).toBe(counts.reduce((a, b) => a + b, 0))
    expect(formats.get(q)).toEqual({ kind: 'float', dtype: 'BF16' })
  })

  it('passes without the prefix', async () => {
    const bare = withoutPrefix(family.tensors)
    const { names } = await check(json, tensorsOf(config, bare))
    expect(names.layer(1).q).toBe(bare.layer(1).q)
  })

  it('names what is missing, misshapen or too much', async () => {
    const { [some]: tensor, ...without } = right
    await expect(check(json, without)).rejects.toThrow(`"${some}" is missing, expected with shape`)
    const wrong = zeros('BF16', ...(tensor?.shape ?? []), 2)
    await expect(check(json, { ...right, [some]: wrong })).rejects.toThrow(`"${some}" has shape`)
    const { [last]: other, ...rest } = right
    const transposed = { ...rest, [last]: zeros('BF16', ...[...(other?.shape ?? [])].reverse()) }
    if (other?.shape[0] !== other?.shape[1]) {
      await expect(check(json, transposed)).rejects.toThrow(`"${last}" has shape`)
    }
    const extra = { ...right, 'model.layers.0.extra.weight': zeros('F32', 1) }
    await expect(check(json, extra)).rejects.toThrow('nowhere: "model.layers.0.extra.weight"')
  })
})

it('GPT-2’s causal masks are left alone', async () => {
  const family = familyOf(CONFIGS.gpt2)
  const right = tensorsOf(family.config(CONFIGS.gpt2, {}), withoutPrefix(family.tensors))
  const masks = { 'h.0.attn.bias': zeros('F32', 1, 1, 4, 4), 'h.1.attn.masked_bias': zeros('F32') }
  await check(CONFIGS.gpt2, { ...right, ...masks })
})
