/** Whatever bytes a safetensors file holds: it opens and reads, or `EngineError('model')` says why. Nothing else. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { EngineError } from '../errors.ts'
import { encodeSafetensors, rawFile, removeFolder, writeFolder, zeros } from './fixture.ts'
import { SafetensorsFile } from './safetensors.ts'

let folder = ''
beforeAll(async () => {
  folder = await writeFolder({})
})
afterAll(() => removeFolder(folder))

const ORIGINAL = encodeSafetensors(
  {
    'model.embed_tokens.weight': zeros('BF16', 4, 8),
    'model.norm.weight': zeros('F32', 8),
    'lm_head.scales': zeros('F16', 4, 1),
  },
  { format: 'pt' },
)
const HEADER = new TextDecoder().decode(
  ORIGINAL.subarray(8, 8 + Number(new DataView(ORIGINAL.buffer).getBigUint64(0, true))),
)
const DATA = ORIGINAL.subarray(8 + HEADER.length)

/** Opens and reads everything. A file that opens must give all its bytes; a refusal must be ours and short. */
async function survives(content: Uint8Array): Promise<'opened' | 'refused'> {
  const path = join(folder, 'mutant.safetensors')
  await writeFile(path, content)
  try {
    const file = await SafetensorsFile.open(path)
    for (const info of file.tensors.values()) {
      await file.read(info, 0, new Uint8Array(info.end - info.start))
    }
    await file.close()
    return 'opened'
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError)
    expect((error as EngineError).code).toBe('model')
    expect((error as EngineError).message.length).toBeLessThan(1000)
    return 'refused'
  }
}

it('survives changed, removed and inserted bytes', async () => {
  expect(await survives(ORIGINAL)).toBe('opened')
  const edit = fc.record({
    at: fc.nat(ORIGINAL.length - 1),
    remove: fc.nat(12),
    insert: fc.uint8Array({ maxLength: 6 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
      let bytes: number[] = [...ORIGINAL]
      for (const { at, remove, insert } of edits) {
        bytes = [...bytes.slice(0, at), ...insert, ...bytes.slice(at + remove)]
      }
      await survives(Uint8Array.from(bytes))
    }),
    { numRuns: 400 },
  )
})

it('survives every truncation', async () => {
  for (let length = 0; length < ORIGINAL.length; length++) {
    expect(await survives(ORIGINAL.subarray(0, length))).toBe('refused')
  }
})

it('survives any length prefix', async () => {
  await fc.assert(
    fc.asyncProperty(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), async (prefix) => {
      await survives(rawFile(HEADER, DATA, prefix))
    }),
    { numRuns: 100 },
  )
})

it('survives any value in the place of any value of the header', async () => {
  const tokens = [...HEADER.matchAll(/\d+|"[^"]*"|\[[^\]]*\]|\{[^{}]*\}/g)]
  const odd = fc.oneof(
    fc.constantFrom(
      '-0',
      '1e308',
      '1e999',
      '0.5',
      '9007199254740993',
      'null',
      '{}',
      '[]',
      '[[0,8]]',
    ),
    fc.constantFrom('"BF16"', '"__proto__"', '"__metadata__"', '""', '"\\ud800"', '"\\', '"', '{'),
    fc.json(),
    fc.nat().map(String),
  )
  await fc.assert(
    fc.asyncProperty(fc.nat(tokens.length - 1), odd, async (index, value) => {
      const token = tokens[index]
      if (!token) return
      const text =
        HEADER.slice(0, token.index) + value + HEADER.slice(token.index + token[0].length)
      await survives(rawFile(text, DATA))
    }),
    { numRuns: 400 },
  )
})

it('survives bytes that were never a safetensors file', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), fc.json(), async (bytes, json) => {
      await survives(bytes)
      await survives(rawFile(json, bytes))
    }),
    { numRuns: 150 },
  )
})
