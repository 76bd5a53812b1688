/**
 * Pipelines and their explicit layouts. A layout depends on binding types alone, so one bind group serves every pipeline
 * that binds the same buffers alike: the tiles of a kernel. The cache key is the composed source. A WGSL error is thrown as
 * `kernel: file.wgsl:line: …`.
 */
import { GpuError } from '../errors.ts'
import type { Device } from './device.ts'
import type { Binding, ShaderSource } from './shader.ts'

export interface Pipeline {
  readonly name: string
  readonly source: ShaderSource
  /** Null until it is compiled. */
  readonly gpu: GPUComputePipeline | null
}

/** A pipeline and its compilation, once somebody asked for it. */
interface Declared {
  readonly pipeline: { -readonly [K in keyof Pipeline]: Pipeline[K] }
  compiled: Promise<Pipeline> | null
}

/** By name of the binding. */
export type Buffers = Readonly<Record<string, GPUBuffer>>

export class Pipelines {
  readonly #device: Device
  readonly #layouts = new Map<string, GPUBindGroupLayout>()
  readonly #pipelines = new Map<string, Declared>()

  constructor(device: Device) {
    this.#device = device
  }

  /** The pipeline of a source, compiled or not. */
  declare(source: ShaderSource): Pipeline {
    return this.#declared(source).pipeline
  }

  /** Compiles a source once. Rejects with GpuError('compile') that carries the WGSL message. */
  get(source: ShaderSource): Promise<Pipeline> {
    const one = this.#declared(source)
    if (!one.compiled) {
      one.compiled = this.#compile(source).then((gpu) => {
        one.pipeline.gpu = gpu
        return one.pipeline
      })
      one.compiled.catch(() => {
        one.compiled = null
      })
    }
    return one.compiled
  }

  #declared(source: ShaderSource): Declared {
    let one = this.#pipelines.get(source.code)
    if (!one) {
      one = { pipeline: { name: source.name, source, gpu: null }, compiled: null }
      this.#pipelines.set(source.code, one)
    }
    return one
  }

  async #compile(source: ShaderSource): Promise<GPUComputePipeline> {
    const { gpu, counters } = this.#device
    try {
      const module = await this.#device
        .scoped(source.name, () =>
          gpu.createShaderModule({ label: source.name, code: source.code }),
        )
        .catch((error: unknown) => {
          throw explain(source, error)
        })
      const layout = await this.#device.scoped(source.name, () =>
        gpu.createPipelineLayout({
          label: source.name,
          bindGroupLayouts: [this.layout(source.bindings)],
        }),
      )
      const pipeline = await this.#device.scoped(source.name, () =>
        gpu.createComputePipelineAsync({
          label: source.name,
          layout,
          compute: { module, entryPoint: 'main' },
        }),
      )
      counters.pipelines++
      return pipeline
    } catch (error) {
      if (error instanceof GpuError && error.kind !== 'validation') throw error
      const message = error instanceof Error ? error.message : String(error)
      throw new GpuError('compile', message, { cause: error })
    }
  }

  /** The layout for these bindings; made once per combination of types. */
  layout(bindings: readonly Binding[]): GPUBindGroupLayout {
    const key = bindings.map((one) => `${one.index}:${one.type}`).join()
    let layout = this.#layouts.get(key)
    if (!layout) {
      layout = this.#device.gpu.createBindGroupLayout({
        label: key,
        entries: bindings.map((one) => ({
          binding: one.index,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: one.type },
        })),
      })
      this.#layouts.set(key, layout)
    }
    return layout
  }

  /** Binds `buffers`, by name, to a source. Throws GpuError naming a missing or unfit buffer. */
  bind(source: ShaderSource, buffers: Buffers): Promise<GPUBindGroup> {
    return this.#device.scoped(`${source.name}, bind group`, () => this.#bind(source, buffers))
  }

  /**
   * The same of many, in one go: they and what Dawn keeps for each lie closer in memory, and a step that finds the
   * processor's caches filled by the step before is encoded in a tenth less time.
   */
  bindAll(
    all: readonly { readonly source: ShaderSource; readonly buffers: Buffers }[],
  ): Promise<GPUBindGroup[]> {
    return this.#device.scoped('bind groups', () =>
      all.map(({ source, buffers }) => this.#bind(source, buffers)),
    )
  }

  #bind(source: ShaderSource, buffers: Buffers): GPUBindGroup {
    const entries = source.bindings.map((one) => {
      const buffer = buffers[one.name]
      if (!buffer) {
        throw new GpuError(
          'validation',
          `${source.name}: no buffer given for binding "${one.name}".`,
        )
      }
      return { binding: one.index, resource: { buffer } }
    })
    this.#device.counters.bindGroups++
    return this.#device.gpu.createBindGroup({
      label: source.name,
      layout: this.layout(source.bindings),
      entries,
    })
  }
}

/** A shader error with the line of the file it stands in, instead of the line of the composed text. */
function explain(source: ShaderSource, error: unknown): GpuError {
  const message = error instanceof Error ? error.message : String(error)
  const line = /:(\d+):\d+ error/.exec(message)?.[1]
  const where = line ? `${source.locate(Number(line))}: ` : ''
  return new GpuError('compile', `${source.name}: ${where}${message}`, { cause: error })
}
