/** Records dispatches: kernel, shape, tuning and buffers → a compiled, bound `Dispatch`. */
import type { Kernel, Shape, Tuning } from '../kernel.ts'
import type { Device } from './device.ts'
import type { Buffers, Pipelines } from './pipeline.ts'
import type { Dispatch } from './plan.ts'
import type { ShaderSource } from './shader.ts'
import { specialise } from './specialise.ts'

/** A bind group to be made with others. */
interface Unbound {
  readonly source: ShaderSource
  readonly buffers: Buffers
  readonly dispatches: { bindGroup: GPUBindGroup }[]
}

export class Recorder {
  readonly #device: Device
  readonly #pipelines: Pipelines
  readonly #groups = new Map<string, Promise<GPUBindGroup>>()
  readonly #names = new WeakMap<GPUBuffer, number>()
  #named = 0
  #unbound: Map<string, Unbound> | null = null

  constructor(device: Device, pipelines: Pipelines) {
    this.#device = device
    this.#pipelines = pipelines
  }

  /** Binds `buffers` by name. The step's sizes replace the shape's `tiles`, `batch` or `rows`, and its `spans`, when it is dispatched. */
  async record<S extends Shape, T extends Tuning>(
    kernel: Kernel<S, T>,
    shape: S,
    tuning: T,
    buffers: Buffers,
  ): Promise<Dispatch> {
    const source = specialise(kernel, shape, tuning, this.#device.caps)
    const pipeline = this.#unbound
      ? this.#pipelines.declare(source)
      : await this.#pipelines.get(source)
    const origin = { kernel: kernel as unknown as Kernel, shape, tuning }
    const workgroups = workgroupsOf(kernel, shape, tuning)
    const dispatch = { label: kernel.name, origin, pipeline, workgroups }
    const key = this.#keyOf(source, buffers)
    const known = this.#groups.get(key)
    if (known || !this.#unbound) {
      return { ...dispatch, bindGroup: await (known ?? this.#bind(key, source, buffers)) }
    }
    const unbound = this.#unbound.get(key) ?? { source, buffers, dispatches: [] }
    this.#unbound.set(key, unbound)
    const later = { ...dispatch, bindGroup: UNBOUND }
    unbound.dispatches.push(later)
    return later
  }

  /**
   * What `record` records gets its bind groups in one go after it, and is compiled by who asks for it: none may run before.
   * Throws GpuError naming the kernel.
   */
  async bindingTogether<R>(record: () => Promise<R>): Promise<R> {
    this.#unbound = new Map()
    try {
      const recorded = await record()
      const groups = await this.#pipelines.bindAll([...this.#unbound.values()])
      for (const [key, { dispatches }] of this.#unbound) {
        const group = groups.shift() as GPUBindGroup
        this.#groups.set(key, Promise.resolve(group))
        for (const dispatch of dispatches) dispatch.bindGroup = group
      }
      return recorded
    } finally {
      this.#unbound = null
    }
  }

  #bind(key: string, source: ShaderSource, buffers: Buffers): Promise<GPUBindGroup> {
    const made = this.#pipelines.bind(source, buffers)
    this.#groups.set(key, made)
    return made
  }

  /** Tiles of one kernel differ in their pipelines and not in what they bind: groups of the same buffers are made once. */
  #keyOf(source: ShaderSource, buffers: Buffers): string {
    const parts = source.bindings.map(({ index, type, name }) => {
      const buffer = buffers[name]
      return `${index}:${type}:${buffer ? this.#nameOf(buffer) : '?'}`
    })
    return parts.join()
  }

  #nameOf(buffer: GPUBuffer): number {
    const known = this.#names.get(buffer)
    if (known !== undefined) return known
    this.#names.set(buffer, this.#named)
    return this.#named++
  }
}

/** The size of a shape that a step sets: its tiles, or else its rows. */
const sizeOf = (shape: Shape): 'tiles' | 'batch' | 'rows' =>
  'tiles' in shape ? 'tiles' : 'batch' in shape ? 'batch' : 'rows'

/** Workgroups of a step, worked out once per size: a token asks hundreds of times. */
function workgroupsOf<S extends Shape, T extends Tuning>(
  kernel: Kernel<S, T>,
  shape: S,
  tuning: T,
): Dispatch['workgroups'] {
  const size = sizeOf(shape)
  const bySpans: (readonly [number, number, number] | undefined)[][] = []
  return (rows, tiles, asked = 1) => {
    const spans = 'spans' in shape ? asked : 1
    const count = size === 'tiles' ? tiles : rows
    bySpans[spans] ??= []
    const known = bySpans[spans]
    const before = known[count]
    if (before) return before
    const sizes = 'spans' in shape ? { [size]: count, spans } : { [size]: count }
    const [x, y = 1, z = 1] = kernel.dispatch({ ...shape, ...sizes }, tuning)
    known[count] = [x, y, z]
    return [x, y, z]
  }
}

/** Stands for a bind group until all are made. */
const UNBOUND = null as never as GPUBindGroup
