/** The GGUF reader on right files, and on every way a header can lie. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineError } from '../errors.ts'
import { GgufFile } from './gguf.ts'
import { encodeGguf, type FixtureGguf } from './gguf-fixture.ts'

let folder = ''
let count = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'illuminator-gguf-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function write(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${count++}.gguf`)
  await writeFile(path, bytes)
  return path
}

const data = (length: number) => Uint8Array.from({ length }, (_, i) => i % 251)
const two: FixtureGguf = {
  metadata: [
    ['general.architecture', 8, 'llama'],
    ['small', 7, true],
    ['large', 10, 2n ** 60n],
    ['signed', 5, -7],
    ['eps', 6, 0.5],
    ['words', 9, { of: 8, items: ['a', 'Ġb', '\ufeffc'] }],
    ['nested', 9, { of: 9, items: [{ of: 4, items: [1, 2] }] }],
  ],
  tensors: [
    { name: 'a', shape: [3, 2], type: 0, data: data(24) },
    { name: 'b', shape: [64, 5], type: 3, data: data(200) },
  ],
}

describe('a right file', () => {
  it('gives metadata, the table and any range of any tensor', async () => {
    const file = await GgufFile.open(await write(encodeGguf(two)))
    expect(Object.fromEntries(file.metadata)).toEqual({
      'general.architecture': 'llama',
      small: true,
      large: 2n ** 60n,
      signed: -7,
      eps: 0.5,
      words: ['a', 'Ġb', '\ufeffc'],
      nested: [[1, 2]],
    })
    const b = file.tensor('b')
    expect(b).toMatchObject({ shape: [5, 64], bytes: 200, type: { name: 'Q4_1' } })
    const into = new Uint8Array(10)
    await file.read(b, 190, into)
    expect([...into]).toEqual([...data(200).subarray(190)])
    await expect(file.read(b, 191, into)).rejects.toThrow(RangeError)
    expect(() => file.tensor('c')).toThrow(/has no tensor "c"/)
    await file.close()
  })

  it('may have a header longer than the first read', async () => {
    const items = Array.from({ length: 9 }, () => 'x'.repeat(500_000))
    const bytes = encodeGguf({ ...two, metadata: [] })
    expect(bytes.length).toBeLessThan(1000)
    // Written by hand: the fixture's list of numbers is not made for megabytes.
    const text = items.map((item) => new TextEncoder().encode(item))
    const parts: Uint8Array[] = []
    const u32 = (value: number) => parts.push(new Uint8Array(Uint32Array.of(value).buffer))
    const u64 = (value: number) =>
      parts.push(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer))
    parts.push(new TextEncoder().encode('GGUF'))
    u32(3)
    u64(0)
    u64(1)
    u64(1)
    parts.push(new TextEncoder().encode('k'))
    u32(9)
    u32(8)
    u64(text.length)
    for (const item of text) {
      u64(item.length)
      parts.push(item)
    }
    const file = await GgufFile.open(await write(Buffer.concat(parts)))
    expect(file.metadata.get('k')).toEqual(items)
    await file.close()
  })
})

const one = (changes: Partial<NonNullable<FixtureGguf['tensors']>[number]>): FixtureGguf => ({
  tensors: [{ name: 'a', shape: [32, 2], type: 3, data: data(40), ...changes }],
})

const lies: Record<string, [FixtureGguf | Uint8Array, RegExp]> = {
  'another magic': [{ magic: 'GGML' }, /does not begin with "GGUF"/],
  'version 1': [{ version: 1 }, /version 1, expected 2 or 3/],
  'big-endian': [{ version: 3 << 24 }, /little-endian/],
  'a billion tensors': [{ tensorCount: 10n ** 9n }, /1000000000 tensors/],
  'more keys than it has': [{ ...two, keyCount: 50n }, /header|unknown type|size|UTF-8|twice/],
  'a count beyond integers': [{ keyCount: 2n ** 63n }, /has a size of/],
  'the same key twice': [
    {
      metadata: [
        ['k', 4, 1],
        ['k', 4, 2],
      ],
    },
    /"k" appears twice/,
  ],
  'a value of unknown type': [{ metadata: [['k', 99, 1]] }, /unknown type 99/],
  'a bad alignment': [{ metadata: [['general.alignment', 4, 0]] }, /general.alignment is 0/],
  'a tensor of unknown type': [one({ type: 77 }), /tensor "a" has type 77/],
  'five dimensions': [one({ shape: [32, 1, 1, 1, 2] }), /has 5 dimensions/],
  'a row that is no whole blocks': [
    one({ shape: [31, 2] }),
    /rows of 31, expected a multiple of 32/,
  ],
  'an impossible shape': [one({ shape: [2 ** 40, 2 ** 40] }), /impossibly large/],
  'a tensor beyond the end': [one({ shape: [32, 9] }), /ends at byte \d+, but the file has/],
  'an unaligned offset': [one({ offset: 8 }), /not a multiple of 32/],
  'the same tensor twice': [
    { tensors: [...(one({}).tensors ?? []), ...(one({}).tensors ?? [])] },
    /"a" appears twice/,
  ],
  overlap: [
    { tensors: [...(one({}).tensors ?? []), ...(one({ name: 'b', offset: 0 }).tensors ?? [])] },
    /"a" and "b" overlap/,
  ],
  'nothing at all': [new Uint8Array(0), /needs 4 bytes/],
}

describe('a header that lies', () => {
  it.each(Object.entries(lies))('%s', async (_, [file, message]) => {
    const path = await write(file instanceof Uint8Array ? file : encodeGguf(file))
    const error = await GgufFile.open(path).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(EngineError)
    expect((error as EngineError).code).toBe('model')
    expect((error as EngineError).message).toMatch(message)
    expect((error as EngineError).message).toContain(path)
  })

  it('is an EngineError whatever byte is cut or changed', async () => {
    const right = encodeGguf(two)
    const headerEnd = right.length - 256
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: headerEnd }),
        fc.nat({ max: 255 }),
        fc.boolean(),
        async (at, value, isCut) => {
          const bytes = isCut ? right.slice(0, at) : right.with(at, value)
          const path = await write(bytes)
          const opened = await GgufFile.open(path).catch((cause: unknown) => cause)
          if (opened instanceof GgufFile) await opened.close()
          else expect(opened).toBeInstanceOf(EngineError)
          await rm(path)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('is no file, or not there', async () => {
    await expect(GgufFile.open(folder)).rejects.toThrow(/not a regular file/)
    await expect(GgufFile.open(join(folder, 'none'))).rejects.toThrow(/cannot be read \(ENOENT/)
  })
})
