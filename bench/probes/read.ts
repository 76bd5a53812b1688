/** The streaming-read probe: GB/s of wide, coalesced reads of a buffer much larger than any cache; see read.wgsl. */

import type { Pipelines } from '../../kernels/gpu/pipeline.ts'
import { composeShader } from '../../kernels/gpu/shader.ts'
import { type Device, GpuError } from '../../kernels/index.ts'
import { readBack } from '../../kernels/oracle.ts'
import { BenchError } from '../failure.ts'
import { noExpectation, type Stopwatch } from '../stopwatch.ts'
import { Probe, type ProbeShape } from './probe.ts'

const WGSL = new URL('./read.wgsl', import.meta.url)
/** Invocations a workgroup, and vec4s that each reads. */
const SHAPES = [
  [8, 1024],
  [16, 1024],
  [32, 512],
  [64, 256],
  [128, 64],
  [256, 16],
  [256, 64],
] as const

/**
 * Its rates are GB/s (10⁹ bytes a second). Throws BenchError when a sum is wrong, GpuError.
 * @param atLeast milliseconds of a timed submit
 * @param bytes to stream, at least 64 KiB: rounded down to a power of two and to what one binding holds
 */
export async function openReadProbe(
  device: Device,
  pipelines: Pipelines,
  stopwatch: Stopwatch,
  { bytes, atLeast }: { bytes: number; atLeast: number },
): Promise<Probe> {
  const size = 2 ** Math.floor(Math.log2(Math.min(bytes, device.caps.maxBinding)))
  const data = await device.memory.storage('read probe', 'test', size)
  const sums = await device.memory.storage('read probe sums', 'test', size / 16)
  const free = (): void => {
    device.memory.free(data)
    device.memory.free(sums)
  }
  try {
    fillWithIndices(device, data, size)
    const shapes: ProbeShape[] = []
    for (const [lanes, per] of SHAPES) {
      const groups = size / 16 / (lanes * per)
      if (groups < 1 || groups > device.caps.maxWorkgroups) continue
      if (lanes > device.caps.maxInvocations) continue
      const shader = composeShader('read probe', WGSL, [], { WG: lanes, PER: per })
      const pipeline = await pipelines.get(shader)
      const dispatch = {
        label: 'read probe',
        pipeline,
        bindGroup: await pipelines.bind(shader, { data, sums }),
        workgroups: (): [number, number, number] => [groups, 1, 1],
      }
      await stopwatch.time([dispatch], noExpectation())
      await checkSum(device, sums, groups * lanes, size)
      shapes.push({ dispatch, work: size })
    }
    if (shapes.length === 0) {
      throw new GpuError('limit', 'No shape of the read probe fits this adapter.')
    }
    return new Probe(stopwatch, shapes, atLeast, free)
  } catch (error) {
    free()
    throw error
  }
}

/** Word i holds i. */
function fillWithIndices(device: Device, buffer: GPUBuffer, bytes: number): void {
  const words = Math.min(bytes / 4, 2 ** 20)
  for (let first = 0; first < bytes / 4; first += words) {
    const part = Uint32Array.from({ length: words }, (_, i) => first + i)
    device.memory.write(buffer, first * 4, part)
  }
}

/** Holds the sum of all partial sums against n (n - 1) / 2 of n words, modulo 2³². */
async function checkSum(
  device: Device,
  sums: GPUBuffer,
  invocations: number,
  bytes: number,
): Promise<void> {
  const found = new Uint32Array(await readBack(device, sums, invocations * 16))
  const sum = found.reduce((total, part) => (total + part) >>> 0, 0)
  const words = BigInt(bytes / 4)
  const want = Number(((words * (words - 1n)) / 2n) % 2n ** 32n)
  if (sum === want) return
  throw new BenchError(`The read probe summed ${sum} where ${want} is right: no figure.`)
}
