/** An independent reader, the npm package `safetensors`, sees in the same files what ours sees: tensors and bytes. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import reference from 'safetensors'
import { afterEach, expect, it } from 'vitest'
import { describeShared } from '../../test/shared-folder.ts'
import { encodeSafetensors, removeFolder, writeFolder } from './fixture.ts'
import { SafetensorsFile } from './safetensors.ts'

const made: string[] = []
afterEach(async () => {
  for (const folder of made.splice(0)) await removeFolder(folder)
})

/** The file with blanks in place of `__metadata__`, which the reference takes for a tensor and fails at. */
function withoutMetadata(file: Buffer): Uint8Array {
  const bytes = Uint8Array.from(file)
  const length = Number(file.readBigUInt64LE(0))
  const header = file.toString('latin1', 8, 8 + length)
  const blank = header.replace(/"__metadata__":\s*\{[^{}]*\},?/, (found) =>
    ' '.repeat(found.length),
  )
  bytes.set(Buffer.from(blank, 'latin1'), 8)
  return bytes
}

/** Holds names, types, shapes and every byte against the reference; returns how many tensors there were. */
async function compareReaders(path: string): Promise<number> {
  const theirs = new reference.SafeTensor(withoutMetadata(await readFile(path)))
  const names = [...theirs.metadata.keys()]
  const ours = await SafetensorsFile.open(path)
  try {
    expect([...ours.tensors.keys()].sort()).toEqual(names.sort())
    for (const [name, info] of ours.tensors) {
      const bytes = new Uint8Array(info.end - info.start)
      await ours.read(info, 0, bytes)
      expect({ dtype: info.dtype, shape: [...info.shape] }, name).toEqual({
        dtype: theirs.metadata.get(name)?.dtype,
        shape: theirs.metadata.get(name)?.shape,
      })
      expect(Buffer.compare(bytes, theirs.getTensor(name)), name).toBe(0)
    }
    return names.length
  } finally {
    await ours.close()
  }
}

const pattern = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17) % 256)

it('reads a file of several types, an empty tensor and a scalar alike', async () => {
  const folder = await writeFolder({})
  made.push(folder)
  const file = encodeSafetensors({
    'model.norm.weight': { dtype: 'F32', shape: [3], data: pattern(12, 1) },
    scalar: { dtype: 'F64', shape: [], data: pattern(8, 2) },
    'a "quoted" näme': { dtype: 'BF16', shape: [2, 5], data: pattern(20, 3) },
    empty: { dtype: 'F16', shape: [0, 4], data: new Uint8Array(0) },
    packed: { dtype: 'U32', shape: [4, 2], data: pattern(32, 4) },
  })
  const path = join(folder, 'model.safetensors')
  await writeFile(path, file)
  expect(await compareReaders(path)).toBe(5)
})

describeShared('reference checkpoints', (shared) => {
  it.each(['llama', 'llama-mha-untied', 'llama3-rope'])('%s is read alike', async (name) => {
    const folder = join(shared, 'goldens', 'tiny', name)
    const files = (await readdir(folder)).filter((file) => file.endsWith('.safetensors'))
    let tensors = 0
    for (const file of files) tensors += await compareReaders(join(folder, file))
    expect(tensors).toBeGreaterThan(10)
  })
})
