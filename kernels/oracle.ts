/** Runs one kernel × shape × tuning on a device with known inputs and holds every output against its oracle. */

import { f16ToF32 } from './formats/half.ts'
import type { Device } from './gpu/device.ts'
import type { Pipelines } from './gpu/pipeline.ts'
import { type Dispatch, Plan } from './gpu/plan.ts'
import { specialise } from './gpu/specialise.ts'
import type { Kernel, Packing, Shape, Tuning } from './kernel.ts'
import { type KnownCase, type KnownMatrix, knownCase } from './known-case.ts'

export interface Prepared {
  readonly dispatch: Dispatch
  readonly known: KnownCase
  readonly weightBytes: number
  /** Buffers by binding name; free them with `release`. */
  readonly buffers: Readonly<Record<string, GPUBuffer>>
  release(): void
}

export interface Outcome {
  /** Largest |got - want| / (1 + |want|) over every output. */
  readonly worst: number
  readonly where: string
  readonly ok: boolean
}

/** Uploads a case's matrix. */
async function uploadWeight(
  device: Device,
  { words, scales }: KnownMatrix,
): Promise<Record<string, GPUBuffer>> {
  const buffers: Record<string, GPUBuffer> = {}
  for (const [name, data] of [
    ['w', words],
    ['w_scale', scales],
  ] as const) {
    if (data.length === 0) continue
    buffers[name] = await device.memory.storage(`test ${name}`, 'test', data.byteLength)
    device.memory.write(buffers[name], 0, data)
  }
  return buffers
}

/**
 * Compiles a kernel for a shape and fills its buffers. Throws GpuError when either fails.
 * @param known what it reads: who tries several tunings makes it once
 */
export async function prepare<S extends Shape, T extends Tuning>(
  device: Device,
  pipelines: Pipelines,
  kernel: Kernel<S, T>,
  shape: S,
  tuning: T,
  known = knownCase(kernel, shape),
): Promise<Prepared> {
  const source = specialise(kernel, shape, tuning, device.caps)
  const pipeline = await pipelines.get(source)
  const { io, matrix } = known
  const buffers = matrix ? await uploadWeight(device, matrix) : {}
  for (const [name, data] of Object.entries(io)) {
    const buffer = await device.memory.storage(`test ${name}`, 'test', data.byteLength)
    device.memory.write(buffer, 0, data)
    buffers[name] = buffer
  }
  const bindGroup = await pipelines.bind(source, buffers)
  const [x, y = 1, z = 1] = kernel.dispatch(shape, tuning)
  return {
    dispatch: { label: kernel.name, pipeline, bindGroup, workgroups: () => [x, y, z] },
    known,
    weightBytes: matrix ? matrix.words.byteLength + matrix.scales.byteLength : 0,
    buffers,
    release: () => {
      for (const buffer of Object.values(buffers)) device.memory.free(buffer)
    },
  }
}

/** Bytes of a buffer, copied to the host. */
export async function readBack(
  device: Device,
  buffer: GPUBuffer,
  bytes: number,
): Promise<ArrayBuffer> {
  const staging = await device.memory.readback('read back', bytes)
  new Plan(device, []).run(0, [
    {
      from: buffer,
      fromOffset: 0,
      to: staging,
      toOffset: 0,
      bytes: Math.min(staging.size, buffer.size),
    },
  ])
  await staging.mapAsync(GPUMapMode.READ)
  device.check()
  const data = staging.getMappedRange().slice(0, bytes)
  device.memory.free(staging)
  return data
}

const bytesOf = (word: number): number[] => [24, 16, 8, 0].map((shift) => (word << shift) >> 24)

/** The numbers in a binding's words. */
function valuesOf(
  data: Float32Array | Uint32Array,
  packing: Packing | undefined,
): ArrayLike<number> {
  if (packing === 'f32') return new Float32Array(data.buffer, data.byteOffset, data.length)
  if (packing === 'f16') {
    return [...data].flatMap((word) => [f16ToF32(word & 0xffff), f16ToF32(word >>> 16)])
  }
  if (packing === 'int8 beside f32') {
    const floats = new Float32Array(data.buffer, data.byteOffset, data.length)
    return [...data].flatMap((word, i) => (i % 2 === 0 ? bytesOf(word) : [floats[i]!]))
  }
  return packing === 'int8' ? [...data].flatMap(bytesOf) : data
}

/** Error of one value. Rounding to f16 may differ by a step, to int8 by one. */
function errorOf(got: number, want: number, packing: Packing | undefined): number {
  const distance = Math.abs(got - want)
  if (packing === 'int8') return distance <= 1 ? 0 : distance
  return distance / (1 + Math.abs(want)) / (packing === 'f16' ? 100 : 1)
}

/** Compares what the device left in the outputs with the oracle's. */
export async function compare<S extends Shape, T extends Tuning>(
  device: Device,
  kernel: Kernel<S, T>,
  shape: S,
  prepared: Prepared,
): Promise<Outcome> {
  const want = prepared.known.want()
  const packings = kernel.packed?.(shape) ?? {}
  let worst = 0
  let where = ''
  for (const binding of prepared.dispatch.pipeline.source.bindings) {
    if (binding.type !== 'storage') continue
    const expected = want[binding.name] as Float32Array | Uint32Array
    const raw = await readBack(
      device,
      prepared.buffers[binding.name] as GPUBuffer,
      expected.byteLength,
    )
    const packing = packings[binding.name]
    const got = valuesOf(
      expected instanceof Uint32Array ? new Uint32Array(raw) : new Float32Array(raw),
      packing,
    )
    const values = valuesOf(expected, packing)
    for (let i = 0; i < values.length; i++) {
      const error = errorOf(got[i]!, values[i]!, packing)
      if (!(error <= worst)) {
        worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error
        where = `${binding.name}[${i}]: got ${got[i]}, want ${values[i]}`
      }
    }
  }
  return { worst, where, ok: worst <= kernel.tolerance }
}

/** Prepares, runs once and compares. */
export async function checkKernel<S extends Shape, T extends Tuning>(
  device: Device,
  pipelines: Pipelines,
  kernel: Kernel<S, T>,
  shape: S,
  tuning: T,
  known?: KnownCase,
): Promise<Outcome> {
  const prepared = await prepare(device, pipelines, kernel, shape, tuning, known)
  try {
    new Plan(device, [prepared.dispatch]).run(1)
    return await compare(device, kernel, shape, prepared)
  } finally {
    prepared.release()
  }
}
