/** A GGUF of several quantized types runs: its logits are those of the very numbers that it holds, kept as floats. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeShared } from '../test/shared-folder.ts'
import { Engine } from './engine.ts'
import { asGguf, type Encode } from './gguf/llama-cpp-fixture.ts'
import { decodeRows } from './gguf/numbers.ts'
import { importGguf } from './import-gguf.ts'
import { openCheckpoint } from './weights/checkpoint.ts'
import { encodeGguf } from './weights/gguf-fixture.ts'

const TYPES = {
  Q4_0: { id: 2, block: 32, bytes: 18 },
  Q5_1: { id: 7, block: 32, bytes: 24 },
  Q8_0: { id: 8, block: 32, bytes: 34 },
  MXFP4: { id: 39, block: 32, bytes: 17 },
} as const

/** By part of the model: matrices that are read as one have different types, too. */
const typeOf = (name: string): keyof typeof TYPES =>
  /attn_v|ffn_up/.test(name)
    ? 'Q5_1'
    : /ffn_down/.test(name)
      ? 'MXFP4'
      : /attn|gate/.test(name)
        ? 'Q4_0'
        : 'Q8_0'

/** Any bytes are numbers: scales of a size that weights have, codes at random. */
function blocks(name: string, count: number): Uint8Array {
  const { block, bytes } = TYPES[typeOf(name)]
  let seed = name.length
  const data = Uint8Array.from({ length: (count / block) * bytes }, () => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31
    return seed >> 16
  })
  for (let at = 0; at < data.length; at += bytes) {
    if (typeOf(name) === 'MXFP4') data[at] = 122
    else data.set([at % 251, typeOf(name) === 'Q8_0' ? 0x14 : 0x22], at)
    if (typeOf(name) === 'Q5_1') data.set([at % 249, 0xb0], at + 2)
  }
  return data
}

describeShared('a tiny Llama of quantized types', (shared) => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'illuminator-import-run-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  async function logits(name: string, encode: Encode): Promise<Float32Array> {
    const checkpoint = await openCheckpoint(join(shared, 'goldens/tiny/llama-mha-untied'))
    const path = join(folder, `${name}.gguf`)
    await writeFile(path, encodeGguf(await asGguf(checkpoint, encode)))
    await checkpoint.close()
    const imported = await importGguf(path, { target: join(folder, name) })
    const engine = await Engine.load(imported.folder, { kv: 'f32' })
    try {
      return (await engine.logits([1, 17, 300, 42, 5, 99])).last
    } finally {
      await engine.close()
    }
  }

  test('has the logits of its numbers', async () => {
    const packed = await logits('packed', (name, { length }) => ({
      type: TYPES[typeOf(name)].id,
      data: blocks(name, length),
    }))
    const plain = await logits('plain', (name, { length }) => {
      const type = { ...TYPES[typeOf(name)], name: typeOf(name) }
      const values = decodeRows(type, blocks(name, length))
      return { type: 0, data: new Uint8Array(values.buffer) }
    })
    const worst = Math.max(...packed.map((value, i) => Math.abs(value - (plain[i] ?? Number.NaN))))
    expect(worst).toBeLessThan(2e-3)
    expect(Math.max(...packed) - Math.min(...packed)).toBeGreaterThan(0.1)
  })
})
