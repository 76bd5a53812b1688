/** For tests: small packed modules, by a packer of their own, and what the engine makes of them. */
import { formatOf } from '../../../kernels/index.ts'
import { quantizationOf } from '../../models/config.ts'
import { type Checkpoint, openCheckpoint } from '../checkpoint.ts'
import { encodeSafetensors, type FixtureTensor, removeFolder, writeFolder } from '../fixture.ts'
import type { JsonObject } from '../json.ts'
import { unpacked } from './index.ts'

export type Tensors = Record<string, FixtureTensor>
export type Each = (row: number, column: number) => number

const folders: string[] = []
const open: Checkpoint[] = []
/** Closes and removes what `load` made. */
export async function removeLoaded(): Promise<void> {
  await Promise.all(open.map((checkpoint) => checkpoint.close()))
  await Promise.all(folders.map(removeFolder))
}

/** A matrix of 4-byte numbers. */
export function tensor(
  dtype: 'I32' | 'F32',
  rows: number,
  columns: number,
  each: Each,
): FixtureTensor {
  const data = dtype === 'I32' ? new Uint32Array(rows * columns) : new Float32Array(rows * columns)
  for (let i = 0; i < data.length; i++) data[i] = each(Math.floor(i / columns), i % columns)
  return { dtype, shape: [rows, columns], data: new Uint8Array(data.buffer) }
}

export const bytes = (dtype: string, rows: number, columns: number, each: Each): FixtureTensor => ({
  dtype,
  shape: [rows, columns],
  data: Uint8Array.from({ length: rows * columns }, (_, i) =>
    each(Math.floor(i / columns), i % columns),
  ),
})

export const vector = (numbers: readonly number[]): FixtureTensor => ({
  dtype: 'I32',
  shape: [numbers.length],
  data: new Uint8Array(Int32Array.from(numbers).buffer),
})

export const shapeOf = (rows: number, columns: number): FixtureTensor => ({
  dtype: 'I64',
  shape: [2],
  data: new Uint8Array(BigInt64Array.of(BigInt(rows), BigInt(columns)).buffer),
})

/** A word of numbers of `bits`, the first one lowest. */
export const word = (bits: number, number: (i: number) => number): number => {
  let text = ''
  for (let i = 0; i < 32 / bits; i++) text = number(i).toString(2).padStart(bits, '0') + text
  return Number.parseInt(text, 2)
}

export async function load(quantization: JsonObject, tensors: Tensors): Promise<Checkpoint> {
  const folder = await writeFolder({
    'config.json': { quantization_config: quantization },
    'model.safetensors': encodeSafetensors(tensors),
  })
  folders.push(folder)
  const checkpoint = await openCheckpoint(folder)
  open.push(checkpoint)
  return unpacked(checkpoint)
}

/** What the engine makes of module `m`, and in which form it has it. */
export async function read(checkpoint: Checkpoint): Promise<{ form: string; values: number[] }> {
  const weight = await checkpoint.readAll('m.weight')
  const { shape } = checkpoint.info('m.weight')
  const [rows = 0, width = 0] = shape
  const stated = quantizationOf(checkpoint.config, 'm')
  if (!stated) {
    return { form: checkpoint.info('m.weight').dtype, values: [...new Float32Array(weight.buffer)] }
  }
  const form = `affine${stated.bits}/${stated.groupSize}/f32`
  const source = {
    weight,
    scales: await checkpoint.readAll('m.scales'),
    biases: await checkpoint.readAll('m.biases'),
  }
  const columns = (width * 32) / stated.bits
  return { form, values: [...formatOf(form).decode(source, rows, columns)] }
}

export const matrix = (rows: number, columns: number, each: Each): number[] =>
  Array.from({ length: rows * columns }, (_, i) => each(Math.floor(i / columns), i % columns))

export const code =
  (bits: number): Each =>
  (row, k) =>
    (row * 7 + k * 5 + (k >> 3)) % 2 ** bits
/** Exact in f32, whatever it is multiplied with here. */
export const scale: Each = (row, group) => (1 + row + 3 * group) / 64
