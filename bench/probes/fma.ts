/** The FMA probe: GFLOP/s of unrolled multiply-adds in registers; see fma.wgsl. A multiply-add counts as two. */

import type { Pipelines } from '../../kernels/gpu/pipeline.ts'
import type { Dispatch } from '../../kernels/gpu/plan.ts'
import { composeShader } from '../../kernels/gpu/shader.ts'
import { type Device, GpuError } from '../../kernels/index.ts'
import { readBack } from '../../kernels/oracle.ts'
import { BenchError } from '../failure.ts'
import { noExpectation, type Stopwatch } from '../stopwatch.ts'

const WGSL = new URL('./fma.wgsl', import.meta.url)
const SIZES = [8, 16, 32, 64, 128, 256]
/** Chains an invocation holds, and multiply-adds of each a lap; as in fma.wgsl. */
const CHAINS = 4
const UNROLL = 8
const FLOPS_A_LAP = 2 * 4 * CHAINS * UNROLL
/** The sum of the chains stays exact in f32 up to 2²⁴. */
const MOST_LAPS = 2 ** 24 / (CHAINS * UNROLL)

export interface FmaProbeOptions {
  /** Milliseconds that a timed dispatch should take at least. */
  atLeast: number
  repeats: number
}

interface Setup {
  readonly device: Device
  readonly stopwatch: Stopwatch
  readonly params: GPUBuffer
  readonly ends: GPUBuffer
}

/** Best GFLOP/s over all workgroup sizes and repeats. Throws BenchError when a chain ends wrong, GpuError. */
export async function probeFma(
  device: Device,
  pipelines: Pipelines,
  stopwatch: Stopwatch,
  { atLeast, repeats }: FmaProbeOptions,
): Promise<number> {
  // Enough invocations to fill the widest GPU; a CPU is full with few.
  const invocations = device.caps.software ? 2 ** 12 : 2 ** 20
  const params = await device.memory.storage('fma probe', 'test', 112)
  const ends = await device.memory.storage('fma probe ends', 'test', invocations * 16)
  const setup = { device, stopwatch, params, ends }
  try {
    let best = 0
    for (const lanes of SIZES) {
      const groups = invocations / lanes
      if (lanes > device.caps.maxInvocations || groups > device.caps.maxWorkgroups) continue
      const shader = composeShader('fma probe', WGSL, [], { WG: lanes })
      const dispatch: Dispatch = {
        label: 'fma probe',
        pipeline: await pipelines.get(shader),
        bindGroup: await pipelines.bind(shader, { params, ends }),
        workgroups: () => [groups, 1, 1],
      }
      const laps = await calibrate(setup, dispatch, invocations, atLeast)
      const expected = noExpectation()
      for (let i = 0; i < repeats; i++) {
        const ms = await stopwatch.time([dispatch], expected)
        best = Math.max(best, (invocations * laps * FLOPS_A_LAP) / ms / 1e6)
      }
    }
    if (best === 0) throw new GpuError('limit', 'No shape of the FMA probe fits this adapter.')
    return best
  } finally {
    device.memory.free(params)
    device.memory.free(ends)
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
