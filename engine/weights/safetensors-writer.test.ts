/** What the writer writes, the reader reads; sources that give too much or too little are caught. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { SafetensorsFile } from './safetensors.ts'
import { type TensorSource, tensorBytes, writeSafetensors } from './safetensors-writer.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'illuminator-writer-'))
})
afterAll(() => rm(folder, { recursive: true }))

function source(name: string, dtype: TensorSource['dtype'], shape: readonly number[]) {
  const data = Uint8Array.from({ length: tensorBytes({ dtype, shape }) }, (_, i) => i + name.length)
  return { name, dtype, shape, data, chunks: () => [data.subarray(0, 3), data.subarray(3)] }
}

it('writes what the reader reads', async () => {
  const names = fc.uniqueArray(
    fc.string({ minLength: 1 }).filter((name) => name !== '__metadata__'),
    {
      minLength: 1,
      maxLength: 5,
    },
  )
  const shapes = fc.array(fc.nat({ max: 4 }), { maxLength: 3 })
  const types = fc.constantFrom('F32' as const, 'F16' as const, 'BF16' as const, 'U32' as const)
  await fc.assert(
    fc.asyncProperty(names, shapes, types, async (list, shape, dtype) => {
      const path = join(folder, 'a.safetensors')
      const tensors = list.map((name, i) => source(name, i % 2 ? 'F32' : dtype, shape))
      await writeSafetensors(path, tensors, { format: 'mlx' })
      const file = await SafetensorsFile.open(path)
      expect(file.metadata).toEqual({ format: 'mlx' })
      expect([...file.tensors.keys()].sort()).toEqual(list.toSorted())
      for (const { name, data, dtype: written } of tensors) {
        const info = file.tensors.get(name)
        expect(info).toMatchObject({ dtype: written, shape })
        const read = new Uint8Array(data.length)
        if (info !== undefined) await file.read(info, 0, read)
        expect([...read]).toEqual([...data])
      }
      await file.close()
    }),
    { numRuns: 40, examples: [[['__proto__', ' '], [], 'F32']] },
  )
})

it('refuses sources of the wrong length, and a name given twice', async () => {
  const path = join(folder, 'b.safetensors')
  const right = source('x', 'F32', [4])
  const long = { ...right, chunks: () => [right.data, right.data] }
  const short = { ...right, chunks: () => [right.data.subarray(1)] }
  await expect(writeSafetensors(path, [long])).rejects.toThrow(/32 bytes .* expected 16/)
  await expect(writeSafetensors(path, [short])).rejects.toThrow(/15 bytes .* expected 16/)
  await expect(writeSafetensors(path, [right, right])).rejects.toThrow(/given twice/)
})
