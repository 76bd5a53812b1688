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
  #collected: Map<string, ShaderSource> | null = null

  constructor(device: Device, pipelines: Pipelines) {
    this.#device = device
    this.#pipelines = pipelines
  }

  /** Binds `buffers` by name. The step's rows replace the shape's `batch` or `rows` when it is dispatched. */
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
    const count = Math.max(...source.bindings.map((binding) => binding.group)) + 1
    const groups: GPUBindGroup[] = []
    for (let group = 0; group < count; group++) {
      groups.push(await this.#pipelines.bind(source, group, buffers))
    }
    return { label: kernel.name, pipeline, groups, workgroups: workgroupsOf(kernel, shape, tuning) }
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

/** Workgroups for a step's rows, worked out once per number of rows: a token asks hundreds of times. */
function workgroupsOf<S extends Shape, T extends Tuning>(
  kernel: Kernel<S, T>,
  shape: S,
  tuning: T,
): Dispatch['workgroups'] {
  const key = 'batch' in shape ? 'batch' : 'rows'
  const known: (readonly [number, number, number] | undefined)[] = []
  return (rows) => {
    const before = known[rows]
    if (before) return before
    const [x, y = 1, z = 1] = kernel.dispatch({ ...shape, [key]: rows }, tuning)
    known[rows] = [x, y, z]
    return [x, y, z]
  }
}

/** Stands for a dispatch while sources are collected; it is never run. */
const PENDING: Dispatch = {
  label: 'pending',
  pipeline: null as never,
  groups: [],
  workgroups: () => {
    throw new Error('A dispatch was run that had only been collected.')
  },
}
