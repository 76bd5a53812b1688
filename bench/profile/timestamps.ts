/** Microseconds of every dispatch by the adapter's own clock: each runs in a pass of its own, which has a begin and an end. */
import { compiledOf, type Device } from '../../kernels/index.ts'
import { type Expectation, noExpectation, note, sleepUntilNear } from '../stopwatch.ts'
import type { Placed } from './placed.ts'

/** Two a dispatch; a query set holds at most 4,096. */
const MOST = 2048

export const hasTimestamps = (device: Device): boolean => device.gpu.features.has('timestamp-query')

export class Timestamps {
  readonly #device: Device
  readonly #queries: GPUQuerySet
  readonly #resolved: GPUBuffer
  readonly #staging: GPUBuffer
  readonly #expected = new Map<number, Expectation>()

  private constructor(
    device: Device,
    queries: GPUQuerySet,
    resolved: GPUBuffer,
    staging: GPUBuffer,
  ) {
    this.#device = device
    this.#queries = queries
    this.#resolved = resolved
    this.#staging = staging
  }

  /** Of a device that `hasTimestamps`. Throws GpuError. */
  static async open(device: Device): Promise<Timestamps> {
    const { QUERY_RESOLVE, COPY_SRC } = GPUBufferUsage
    const bytes = MOST * 2 * 8
    const queries = await device.scoped('timestamps', () =>
      device.gpu.createQuerySet({ type: 'timestamp', count: MOST * 2 }),
    )
    const resolved = await device.memory.create(
      'timestamps',
      'test',
      bytes,
      QUERY_RESOLVE | COPY_SRC,
    )
    return new Timestamps(
      device,
      queries,
      resolved,
      await device.memory.readback('timestamps', bytes),
    )
  }

  /** In the order of `placed`, which is the same each time. Throws GpuError. */
  async time(placed: readonly Placed[]): Promise<number[]> {
    const times: number[] = []
    for (let at = 0; at < placed.length; at += MOST) {
      const expected = this.#expected.get(at) ?? noExpectation()
      this.#expected.set(at, expected)
      times.push(...(await this.#timeSome(placed.slice(at, at + MOST), expected)))
    }
    return times
  }

  async #timeSome(placed: readonly Placed[], expected: Expectation): Promise<number[]> {
    const { gpu } = this.#device
    const encoder = gpu.createCommandEncoder()
    for (const [i, one] of placed.entries()) this.#encode(encoder, one, i * 2)
    const count = placed.length * 2
    encoder.resolveQuerySet(this.#queries, 0, count, this.#resolved, 0)
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, count * 8)
    const start = performance.now()
    gpu.queue.submit([encoder.finish()])
    await sleepUntilNear(start, expected)
    await this.#staging.mapAsync(GPUMapMode.READ)
    this.#device.check()
    note(expected, performance.now() - start)
    const ends = new BigInt64Array(this.#staging.getMappedRange(0, count * 8).slice(0))
    this.#staging.unmap()
    return placed.map((_, i) => Number((ends[i * 2 + 1] ?? 0n) - (ends[i * 2] ?? 0n)) / 1000)
  }

  #encode(
    encoder: GPUCommandEncoder,
    { dispatch, rows, tiles, spans }: Placed,
    first: number,
  ): void {
    const pass = encoder.beginComputePass({
      timestampWrites: {
        querySet: this.#queries,
        beginningOfPassWriteIndex: first,
        endOfPassWriteIndex: first + 1,
      },
    })
    pass.setPipeline(compiledOf(dispatch))
    pass.setBindGroup(0, dispatch.bindGroup)
    pass.dispatchWorkgroups(...dispatch.workgroups(rows, tiles, spans))
    pass.end()
  }

  close(): void {
    this.#queries.destroy()
    this.#device.memory.free(this.#resolved)
    this.#device.memory.free(this.#staging)
  }
}
