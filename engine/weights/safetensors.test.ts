/** Right files come back byte for byte; every kind of wrong file is refused with its file, tensor and reason. */
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineError } from '../errors.ts'
import { encodeSafetensors, rawFile, removeFolder, writeFolder, zeros } from './fixture.ts'
import { SafetensorsFile } from './safetensors.ts'

let folder = ''
beforeAll(async () => {
  folder = await writeFolder({})
})
afterAll(() => removeFolder(folder))

let count = 0
async function write(content: Uint8Array): Promise<string> {
  const path = join(folder, `case-${count++}.safetensors`)
  await writeFile(path, content)
  return path
}

async function refusal(content: Uint8Array): Promise<string> {
  const path = await write(content)
  const error: unknown = await SafetensorsFile.open(path).then(
    (file) => file.close(),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(EngineError)
  expect((error as EngineError).code).toBe('model')
  expect((error as EngineError).message).toContain(path)
  expect((error as EngineError).message.length).toBeLessThan(1000)
  return (error as EngineError).message
}

const entry = (fields: object) => ({ dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields })
const header = (tensors: object, bytes = 8) =>
  rawFile(JSON.stringify(tensors), new Uint8Array(bytes))

/** What is wrong → the file, and what the message must say. */
const REFUSED: Record<string, [Uint8Array, ...string[]]> = {
  'shorter than its prefix': [new Uint8Array(5), 'is 5 bytes long'],
  empty: [new Uint8Array(0), 'is 0 bytes long'],
  'prefix beyond the file': [rawFile('{}', new Uint8Array(0), 1000n), '1000 bytes', 'only 2'],
  'prefix beyond 2^53': [rawFile('{}', new Uint8Array(0), 2n ** 63n + 1n), '9223372036854775809'],
  'no header at all': [rawFile('', new Uint8Array(8)), 'begins with nothing'],
  'header not beginning with {': [rawFile(' {}', new Uint8Array(0)), '0x20', 'expected "{"'],
  'header an array': [rawFile('[]', new Uint8Array(0)), '0x5b'],
  'invalid UTF-8': [
    rawFile(Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d), new Uint8Array(0)),
    'not valid UTF-8',
  ],
  'not JSON': [rawFile('{"a": ', new Uint8Array(0)), 'not valid JSON'],
  'a second document': [rawFile('{}{}', new Uint8Array(0)), 'not valid JSON'],
  'a tensor twice': [
    rawFile(
      '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}',
      new Uint8Array(16),
    ),
    '"a" appears twice',
  ],
  'a tensor twice, once escaped': [
    rawFile(
      '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
      new Uint8Array(0),
    ),
    '"a" appears twice',
  ],
  'a field twice': [
    rawFile(
      '{"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}}',
      new Uint8Array(8),
    ),
    '"dtype" appears twice',
  ],
  'nested too deep': [rawFile(`{"a":${'['.repeat(100_000)}`, new Uint8Array(0)), 'levels deep'],
  'metadata not an object': [header({ __metadata__: [], a: entry({}) }), '__metadata__ is []'],
  'metadata not strings': [
    header({ __metadata__: { step: 3 }, a: entry({}) }),
    '__metadata__ "step" is 3',
  ],
  'an empty name': [header({ '': entry({}) }), 'tensor "": the name is empty'],
  'an entry that is no object': [header({ a: 7 }), 'tensor "a": its entry is 7'],
  'no dtype': [header({ a: entry({ dtype: undefined }) }), 'tensor "a": dtype is missing'],
  'an unknown dtype': [header({ a: entry({ dtype: 'F31' }) }), 'dtype is "F31"', 'BF16'],
  'a dtype that is a property of every object': [
    header({ a: entry({ dtype: 'constructor' }) }),
    'dtype is "constructor"',
  ],
  'a shape that is no list': [header({ a: entry({ shape: 2 }) }), 'tensor "a": shape is 2'],
  'a negative size': [header({ a: entry({ shape: [-2] }) }), 'shape is [-2]'],
  'a fractional size': [header({ a: entry({ shape: [2.5] }) }), 'shape is [2.5]'],
  'a size beyond 2^53': [header({ a: entry({ shape: [2 ** 53] }) }), 'shape is [9007199254740992]'],
  'a size that is text': [header({ a: entry({ shape: ['2'] }) }), 'shape is ["2"]'],
  'three offsets': [header({ a: entry({ data_offsets: [0, 4, 8] }) }), 'data_offsets is [0, 4, 8]'],
  'fractional offsets': [header({ a: entry({ data_offsets: [0, 8.5] }) }), 'is [0, 8.5]'],
  'negative offsets': [header({ a: entry({ data_offsets: [-8, 0] }) }), 'is [-8, 0]'],
  'reversed offsets': [header({ a: entry({ data_offsets: [8, 0] }) }), 'run backwards'],
  'dtype × shape ≠ bytes': [
    header({ a: entry({ shape: [3] }) }),
    'F32 of shape [3] takes 12 bytes',
    'hold 8',
  ],
  'a product that wraps to the right size': [
    // 2^32 · 2^32 · 4 bytes is 0 in 64 bits
    header({ a: entry({ shape: [2 ** 32, 2 ** 32], data_offsets: [0, 0] }) }, 0),
    'more than 2^64',
  ],
  'truncated data': [header({ a: entry({}) }, 7), 'reach past the 7 data bytes', 'truncated'],
  'overlapping tensors': [
    header({ a: entry({}), b: entry({ data_offsets: [4, 12] }) }, 12),
    'tensor "b": overlaps "a" by 4 bytes',
  ],
  'a hole': [
    header({ a: entry({}), b: entry({ data_offsets: [12, 20] }) }, 20),
    'tensor "b": leaves a hole of 4 bytes after "a"',
  ],
  'a hole before the first': [header({ a: entry({ data_offsets: [8, 16] }) }, 16), 'the header'],
  'trailing bytes': [header({ a: entry({}) }, 11), '3 bytes trail behind "a"'],
  'data without tensors': [header({}, 4), '4 bytes trail behind the header'],
}

describe('a broken safetensors file', () => {
  for (const [kind, [content, ...reasons]] of Object.entries(REFUSED)) {
    it(`is refused: ${kind}`, async () => {
      const message = await refusal(content)
      for (const reason of reasons) expect(message).toContain(reason)
    })
  }

  it('is refused: a header above the cap, without reading it', async () => {
    const path = await write(rawFile('{}', new Uint8Array(0), 200_000_000n))
    await truncate(path, 300_000_000) // sparse
    await expect(SafetensorsFile.open(path)).rejects.toThrow(
      /200000000 bytes, the most is 100000000/,
    )
  })

  it('is refused: more values than any model has', async () => {
    const message = await refusal(rawFile(`{"a":[${'0,'.repeat(1_000_001)}0]}`, new Uint8Array(0)))
    expect(message).toContain('more than 1000000 values')
  })

  it('is refused: a huge shape, quickly', async () => {
    const shape = Array.from({ length: 100_000 }, () => 2 ** 52)
    expect(await refusal(header({ a: entry({ shape }) }))).toContain('more than 2^64')
  })

  it('is refused: missing, or a folder', async () => {
    await expect(SafetensorsFile.open(join(folder, 'none'))).rejects.toThrow(EngineError)
    await expect(SafetensorsFile.open(folder)).rejects.toThrow(/not a regular file/)
  })
})

describe('a right safetensors file', () => {
  it('gives names, types, shapes, metadata and bytes', async () => {
    const data = Uint8Array.from({ length: 24 }, (_, i) => i * 7)
    const path = await write(
      encodeSafetensors(
        {
          'b.weight': { dtype: 'BF16', shape: [2, 3], data: data.subarray(0, 12) },
          empty: { dtype: 'F32', shape: [0, 4], data: data.subarray(0, 0) },
          scalar: { dtype: 'I64', shape: [], data: data.subarray(12, 20) },
        },
        { format: 'pt' },
      ),
    )
    const file = await SafetensorsFile.open(path)
    expect(file.metadata).toEqual({ format: 'pt' })
    expect(file.tensors.get('b.weight')).toMatchObject({ dtype: 'BF16', shape: [2, 3] })
    const info = file.tensors.get('b.weight')
    const scalar = file.tensors.get('scalar')
    if (!info || !scalar) throw new Error('tensors are missing')
    const some = new Uint8Array(5)
    await file.read(info, 4, some)
    expect(some).toEqual(data.slice(4, 9))
    const all = new Uint8Array(8)
    await file.read(scalar, 0, all)
    expect(all).toEqual(data.slice(12, 20))
    await file.close()
  })

  it('accepts no tensors, and a header padded with spaces', async () => {
    const file = await SafetensorsFile.open(await write(rawFile('{}      ', new Uint8Array(0))))
    expect(file.tensors.size).toBe(0)
    await file.close()
  })

  it('keeps names and metadata that are special to JavaScript as plain text', async () => {
    const json =
      '{"__metadata__":{"__proto__":"x"},"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    const file = await SafetensorsFile.open(await write(rawFile(json, new Uint8Array(1))))
    expect([...file.tensors.keys()]).toEqual(['__proto__'])
    expect(Object.entries(file.metadata)).toEqual([['__proto__', 'x']])
    await file.close()
  })

  it('reads beyond 4 GiB without holding the file', async () => {
    const size = 5 * 2 ** 30
    const json = JSON.stringify({ a: entry({ shape: [size / 4], data_offsets: [0, size] }) })
    const path = await write(rawFile(json, new Uint8Array(0)))
    await truncate(path, 8 + json.length + size) // sparse: takes no disk
    const before = process.memoryUsage().rss
    const file = await SafetensorsFile.open(path)
    const info = file.tensors.get('a')
    if (!info) throw new Error('tensor is missing')
    const chunk = new Uint8Array(1 << 20).fill(1)
    await file.read(info, size - chunk.length, chunk)
    expect(chunk.every((byte) => byte === 0)).toBe(true)
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20)
    await file.close()
  })

  it('refuses ranges outside a tensor, foreign tensors, a file that got shorter, and reads after close', async () => {
    const path = await write(encodeSafetensors({ a: zeros('F32', 4), b: zeros('F32', 4) }))
    const file = await SafetensorsFile.open(path)
    const info = file.tensors.get('b')
    if (!info) throw new Error('tensor is missing')
    await expect(file.read(info, 12, new Uint8Array(8))).rejects.toThrow(/\[12, 20\).*it has 16/)
    await expect(file.read(info, -1, new Uint8Array(1))).rejects.toThrow(EngineError)
    await expect(file.read(info, 0.5, new Uint8Array(1))).rejects.toThrow(EngineError)
    await expect(file.read({ ...info, end: 1e9 }, 0, new Uint8Array(1))).rejects.toThrow(
      /not of this/,
    )
    await truncate(path, info.start + 2)
    await expect(file.read(info, 0, new Uint8Array(8))).rejects.toThrow(/tensor "b": ends at byte/)
    await file.close()
    await expect(file.read(info, 0, new Uint8Array(2))).rejects.toThrow(EngineError)
  })
})
