/** What is asked for in one turn is read together where it lies side by side, and each part comes to its own place. */
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { rawFile } from './fixture.ts'
import { SafetensorsFile } from './safetensors.ts'

const tensor = (start: number) => ({
  dtype: 'U8',
  shape: [64],
  data_offsets: [start, start + 64],
})
const DATA = Uint8Array.from({ length: 128 }, (_, i) => i)
/** Tensor, first byte, bytes: side by side, apart, overlapping, empty, in no order. */
const PARTS = [
  ['b', 0, 8],
  ['a', 60, 4],
  ['a', 0, 60],
  ['a', 30, 2],
  ['b', 8, 0],
  ['b', 8, 3],
  ['b', 12, 1],
] as const

it('reads parts in any order; a part that the file ends in fails, those before it do not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'reads-'))
  const path = join(folder, 'model.safetensors')
  await writeFile(path, rawFile(JSON.stringify({ a: tensor(0), b: tensor(64) }), DATA))
  const file = await SafetensorsFile.open(path)
  try {
    const read = () =>
      PARTS.map(async ([name, offset, length]) => {
        const into = new Uint8Array(length)
        await file.read(file.tensors.get(name)!, offset, into)
        return into
      })
    const wanted = PARTS.map(([name, offset, length]) => {
      const start = (name === 'b' ? 64 : 0) + offset
      return DATA.slice(start, start + length)
    })
    expect(await Promise.all(read())).toEqual(wanted)
    await truncate(path, file.tensors.get('b')!.start + 9)
    const settled = await Promise.allSettled(read())
    expect(settled.map(({ status }) => status === 'fulfilled')).toEqual(
      PARTS.map(([name, offset, length]) => name === 'a' || offset + length <= 9),
    )
  } finally {
    await file.close()
    await rm(folder, { recursive: true })
  }
})
