/** Records dispatches: kernel, shape, tuning and buffers → a compiled, bound `Dispatch`. */
import type { Kernel, Shape, Tuning } from '../kernel.ts'
import type { Device } from './device.ts'
import type { Pipelines } from './pipeline.ts'
import type { Dispatch } from './plan.ts'
import type { ShaderSource } from './shader.ts'
import { specialise } from './specialise.ts'

export class Recorder {
  readonly #device: Device
  readonly #pipelines: Pipelines
  readonly #groups = new Map<string, Promise<GPUBindGroup>>()
  readonly #names = new WeakMap<GPUBuffer, number>()
  #named = 0
  #collected: Map<string, ShaderSource> | null = null

  constructor(device: Device, pipelines: Pipelines) {
    this.#device = device
    this.#pipelines = pipelines
  }

  /** Binds `buffers` by name. The step's sizes replace the shape's `tiles`, `batch` or `rows`, and its `spans`, when it is dispatched. */
  async record<S extends Shape, T extends Tuning>(
    kernel: Kernel<S, T>,
    shape: S,
    tuning: T,
    buffers: Readonly<Record<string, GPUBuffer>>,
  ): Promise<Dispatch> {
    const source = specialise(kernel, shape, tuning, this.#device.caps)
    if (this.#collected) {
      this.#collected.set(source.code, source)
      return PENDING
    }
    const pipeline = await this.#pipelines.get(source)
    const bindGroup = await this.#bind(source, buffers)
    const origin = { kernel: kernel as unknown as Kernel, shape, tuning }
    const workgroups = workgroupsOf(kernel, shape, tuning)
    return { label: kernel.name, origin, pipeline, bindGroup, workgroups }
  }

  /** Tiles of one kernel differ in their pipelines and not in what they bind: groups of the same buffers are made once. */
  #bind(source: ShaderSource, buffers: Readonly<Record<string, GPUBuffer>>): Promise<GPUBindGroup> {
    const key = source.bindings.map(({ index, type, name }) => {
      const buffer = buffers[name]
      return `${index}:${type}:${buffer ? this.#nameOf(buffer) : '?'}`
    })
    const known = this.#groups.get(key.join())
    if (known) return known
    const made = this.#pipelines.bind(source, buffers)
    this.#groups.set(key.join(), made)
    return made
  }

  #nameOf(buffer: GPUBuffer): number {
    const known = this.#names.get(buffer)
    if (known !== undefined) return known
    this.#names.set(buffer, this.#named)
    return this.#named++
  }

  /** From here on `record` only notes what has to be compiled. */
  startCollecting(): void {
    this.#collected = new Map()
  }

  /** Compiles what was noted, all at once; `record` binds again. */
  async finishCollecting(onPipeline: (done: number, total: number) => void): Promise<void> {
    const sources = [...(this.#collected?.values() ?? [])]
    this.#collected = null
    let done = 0
    onPipeline(0, sources.length)
    await Promise.all(
      sources.map(async (source) => {
        await this.#pipelines.get(source)
        onPipeline(++done, sources.length)
      }),
    )
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

/** Stands for a dispatch while sources are collected; it is never run. */
const PENDING: Dispatch = {
  label: 'pending',
  pipeline: null as never,
  bindGroup: null as never,
  workgroups: () => {
    throw new Error('A dispatch was run that had only been collected.')
  },
}
