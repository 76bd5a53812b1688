/** For tests of kernels: a device, and a kernel's outputs bit by bit, in whatever form it computes them. */
import { afterAll, beforeAll } from 'vitest'
import { Device, type DeviceOptions } from './gpu/device.ts'
import { Pipelines } from './gpu/pipeline.ts'
import { Plan } from './gpu/plan.ts'
import type { Kernel, Shape, Tuning } from './kernel.ts'
import type { KnownCase } from './known-case.ts'
import { type Prepared, prepare, readBack } from './oracle.ts'

export interface OwnDevice {
  readonly device: Device
  readonly pipelines: Pipelines
}

/** The device of the block of tests that it stands in, there while they run. */
export function ownDevice(without: NonNullable<DeviceOptions['without']> = []): OwnDevice {
  const own = {} as { device: Device; pipelines: Pipelines }
  beforeAll(async () => {
    own.device = await Device.open({ without })
    own.pipelines = new Pipelines(own.device)
  })
  afterAll(() => own.device?.close())
  return own
}

/**
 * What one dispatch leaves in everything it may write, word by word. Throws GpuError.
 * @param before changes what it reads
 */
export async function outputsOf<S extends Shape, T extends Tuning>(
  { device, pipelines }: OwnDevice,
  kernel: Kernel<S, T>,
  shape: S,
  tuning: T,
  known: KnownCase,
  before: (prepared: Prepared) => void = () => undefined,
): Promise<Record<string, Uint32Array>> {
  const prepared = await prepare(device, pipelines, kernel, shape, tuning, known)
  try {
    before(prepared)
    new Plan(device, [prepared.dispatch]).run(1)
    const all: Record<string, Uint32Array> = {}
    for (const { name, type } of prepared.dispatch.pipeline.source.bindings) {
      const { [name]: data } = known.io
      const { [name]: buffer } = prepared.buffers
      // What spans leave apart is of no shape with one workgroup for all: spans.gpu.test.ts.
      if (type !== 'storage' || name === 'partials' || !data || !buffer) continue
      all[name] = new Uint32Array(await readBack(device, buffer, data.byteLength))
    }
    return all
  } finally {
    prepared.release()
  }
}
