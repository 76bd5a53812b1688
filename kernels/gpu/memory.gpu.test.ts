/** What a buffer begins with. */
import { expect, test } from 'vitest'
import { readBack } from '../oracle.ts'
import { Device } from './device.ts'

test('a buffer begins with zeros, whoever had its memory before', async () => {
  const device = await Device.open()
  try {
    const { memory } = device
    const bytes = 2 ** 20
    for (let turn = 0; turn < 4; turn++) {
      const buffer = await memory.storage('zeros', 'test', bytes)
      const words = new Uint32Array(await readBack(device, buffer, bytes))
      expect(words.every((word) => word === 0)).toBe(true)
      memory.write(buffer, 0, words.fill(0xffffffff))
      expect(new Uint32Array(await readBack(device, buffer, bytes))).toEqual(words)
      memory.free(buffer)
    }
  } finally {
    device.close()
  }
})
