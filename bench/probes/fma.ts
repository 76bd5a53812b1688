/** The FMA probe: GFLOP/s of unrolled multiply-adds in registers; see fma.wgsl. A multiply-add counts as two. */

import type { Pipelines } from '../../kernels/gpu/pipeline.ts'
import type { Dispatch } from '../../kernels/gpu/plan.ts'
import { composeShader } from '../../kernels/gpu/shader.ts'
import { type Device, GpuError } from '../../kernels/index.ts'
import { readBack } from '../../kernels/oracle.ts'
import { BenchError } from '../failure.ts'
import { noExpectation, type Stopwatch } from '../stopwatch.ts'
import { Probe, type ProbeShape } from './probe.ts'

const WGSL = new URL('./fma.wgsl', import.meta.url)
const SIZES = [8, 16, 32, 64, 128, 256]
/** Chains an invocation holds, and multiply-adds of each a lap; as in fma.wgsl. */
const CHAINS = 4
const UNROLL = 8
const FLOPS_A_LAP = 2 * 4 * CHAINS * UNROLL
/** Milliseconds of a dispatch whose start and end do not show. */
const LONG_ENOUGH = 20
/** The sum of the chains stays exact in f32 up to 2²⁴. */
const MOST_LAPS = 2 ** 24 / (CHAINS * UNROLL)

interface Setup {
  readonly device: Device
  readonly stopwatch: Stopwatch
  readonly params: GPUBuffer
  readonly ends: GPUBuffer
}

/**
 * Its rates are GFLOP/s. Throws BenchError when a chain ends wrong, GpuError.
 * @param atLeast milliseconds of a timed submit
 */
export async function openFmaProbe(
  device: Device,
  pipelines: Pipelines,
  stopwatch: Stopwatch,
  atLeast: number,
): Promise<Probe> {
  // Enough invocations to fill the widest GPU; a CPU is full with few.
  const invocations = device.caps.software ? 2 ** 12 : 2 ** 20
  const owned: GPUBuffer[] = []
  const own = async (name: string, bytes: number): Promise<GPUBuffer> => {
    const buffer = await device.memory.storage(name, 'test', bytes)
    owned.push(buffer)
    return buffer
  }
  const free = (): void => {
    for (const buffer of owned) device.memory.free(buffer)
  }
  try {
    const ends = await own('fma probe ends', invocations * 16)
    const shapes: ProbeShape[] = []
    for (const lanes of SIZES) {
      const groups = invocations / lanes
      if (lanes > device.caps.maxInvocations || groups > device.caps.maxWorkgroups) continue
      const shader = composeShader('fma probe', WGSL, [], { WG: lanes })
      // Each shape has as many laps as it needs.
      const params = await own('fma probe', 112)
      const dispatch: Dispatch = {
        label: 'fma probe',
        pipeline: await pipelines.get(shader),
        bindGroup: await pipelines.bind(shader, { params, ends }),
        workgroups: () => [groups, 1, 1],
      }
      const setup = { device, stopwatch, params, ends }
      const laps = await calibrate(setup, dispatch, invocations, Math.min(atLeast, LONG_ENOUGH))
      shapes.push({ dispatch, work: invocations * laps * FLOPS_A_LAP })
    }
    if (shapes.length === 0) {
      throw new GpuError('limit', 'No shape of the FMA probe fits this adapter.')
    }
    return new Probe(stopwatch, shapes, atLeast, free)
  } catch (error) {
    free()
    throw error
  }
}

/** Doubles the laps until a dispatch takes long enough; its ends are checked each time. */
async function calibrate(
  { device, stopwatch, params, ends }: Setup,
  dispatch: Dispatch,
  invocations: number,
  atLeast: number,
): Promise<number> {
  for (let laps = 16; ; laps *= 2) {
    const values = new Float32Array(28).fill(1, 0, 8)
    new Uint32Array(values.buffer)[24] = laps
    device.memory.write(params, 0, values)
    const ms = await stopwatch.time([dispatch], noExpectation())
    const found = new Float32Array(await readBack(device, ends, invocations * 16))
    const want = CHAINS * UNROLL * laps
    const wrong = found.findIndex((value) => value !== want)
    if (wrong >= 0) {
      throw new BenchError(
        `The FMA probe's chain ${wrong} ended at ${found[wrong]} where ${want} is right: no figure.`,
      )
    }
    if (ms >= atLeast || laps * 2 > MOST_LAPS) return laps
  }
}
