/** A kernel that can be made slower on purpose and stays right, and one that returns zeros: the gate is tried on them. */
import { defineKernel, type Kernel } from '../../kernels/kernel.ts'
import { type KernelVersion, OURS } from './version.ts'

const LAPS = 1000
const ROWS = 64

/** @param laps work of an invocation; 64 at least for right numbers */
const spin = (laps: number): Kernel =>
  defineKernel({
    name: 'spin',
    summary: 'y = 2x, slowly',
    wgsl: new URL('./spin.wgsl', import.meta.url),
    consts: () => ({ LAPS: laps }),
    dispatch: () => [ROWS],
    tune: {},
    inputs: (_, random) => ({ x: random.floats(ROWS * 64), y: new Float32Array(ROWS * 64) }),
    oracle: (_, { x, y }) => {
      for (let i = 0; i < ROWS * 64; i++) y![i] = 2 * x![i]!
    },
    tolerance: 1e-5,
    cases: [{}],
    bench: { made: {} },
    cost: () => ({ bytes: 8 * ROWS * 64, flops: 2 * laps * ROWS * 64 }),
  }) as Kernel

/** `factor` times the work of `spinVersion(1)`. */
export const spinVersion = (factor: number): KernelVersion => ({
  ...OURS,
  title: `spin × ${factor}`,
  kernels: { spin: spin(LAPS * factor) },
  engineTuning: () => ({}),
})

/** Without a lap all outputs are zeros. */
export const zeroVersion = (): KernelVersion => ({ ...spinVersion(0), title: 'zeros' })
