/** The dispatch probe: what a dispatch costs on this adapter that has nothing to do, in a submit of many. */
import type { Pipelines } from '../../kernels/gpu/pipeline.ts'
import { composeShader } from '../../kernels/gpu/shader.ts'
import type { Device } from '../../kernels/index.ts'
import { readBack } from '../../kernels/oracle.ts'
import { BenchError } from '../failure.ts'
import { noExpectation, type Stopwatch } from '../stopwatch.ts'

const WGSL = new URL('./dispatch.wgsl', import.meta.url)
/** As a small product has: enough to wake every thread of a CPU adapter. */
const MANY = 64
const LANES = 8
/** Dispatches in a submit: its own cost does not show. */
const COUNT = 512

/** Milliseconds. */
export interface DispatchCost {
  /** Of one workgroup. */
  readonly one: number
  readonly many: number
}

/** The least of all repeats; each dispatch waits for the one before. Throws BenchError when one was left out, GpuError. */
export async function probeDispatch(
  device: Device,
  pipelines: Pipelines,
  stopwatch: Pick<Stopwatch, 'time'>,
  repeats: number,
): Promise<DispatchCost> {
  const bytes = MANY * LANES * 4
  const turns = await device.memory.storage('dispatch probe', 'test', bytes)
  try {
    const shader = composeShader('dispatch probe', WGSL, [], { WG: LANES })
    const pipeline = await pipelines.get(shader)
    const bindGroup = await pipelines.bind(shader, { turns })
    const timed = async (groups: number): Promise<number> => {
      const workgroups = (): [number, number, number] => [groups, 1, 1]
      const dispatch = { label: 'dispatch probe', pipeline, bindGroup, workgroups }
      const submit = Array.from({ length: COUNT }, () => dispatch)
      const before = await turnsOf(device, turns, bytes)
      const expected = noExpectation()
      const times: number[] = []
      for (let i = 0; i <= repeats; i++) times.push(await stopwatch.time(submit, expected))
      const ran = (await turnsOf(device, turns, bytes)) - before
      const want = times.length * COUNT
      if (ran !== want) {
        throw new BenchError(
          `The dispatch probe ran ${ran} times where ${want} is right: no figure.`,
        )
      }
      return Math.min(...times) / COUNT
    }
    return { one: await timed(1), many: await timed(MANY) }
  } finally {
    device.memory.free(turns)
  }
}

/** How often the first workgroup ran. */
const turnsOf = async (device: Device, turns: GPUBuffer, bytes: number): Promise<number> =>
  new Uint32Array(await readBack(device, turns, bytes))[0]!
