/**
 * compressed-tensors, as llm-compressor writes it. `pack-quantized`: `weight_packed` [rows, columns × bits / 32] with
 * 2^(bits−1) added to every number, `weight_scale` [rows, groups], perhaps `weight_zero_point` (packed along the rows, or
 * plain I8) and `weight_g_idx`, and the true shape in `weight_shape`. `int-quantized` and `float-quantized`: `weight` in
 * I8 or FP8 with `weight_scale`.
 */
import { isJsonObject, show } from '../json.ts'
import {
  bytesOf,
  expectTensor,
  FLOATS,
  type Form,
  floatsOf,
  type PackedModule,
  type PackedSource,
  pathsOf,
  pathsOfAny,
  runsIn,
  runsOf,
  statedGroups,
  wordsOf,
} from './form.ts'
import { scaledModule } from './scaled.ts'

const FORMATS = ['pack-quantized', 'int-quantized', 'float-quantized', 'naive-quantized']

export const compressedTensors: Form = {
  method: 'compressed-tensors',
  idle: /\.(input_scale|input_zero_point|output_scale|k_scale|v_scale)$/,
  async modules(source) {
    const { checkpoint } = source
    const packed = pathsOfAny(source, '.weight_packed', '.weight_shape')
    const scaled = pathsOf(source, '.weight_scale').filter((path) => !packed.includes(path))
    const first = packed[0] === undefined ? `${scaled[0]}.weight` : `${packed[0]}.weight_packed`
    if (packed.length + scaled.length > 0) checkFormats(source, first)
    for (const path of scaled) {
      const zero = `${path}.weight_zero_point`
      if (checkpoint.has(zero))
        throw source.fault(zero, 'is not expected beside weights that are not packed')
    }
    return [
      ...scaled.map((path) => scaledModule(source, path, `${path}.weight_scale`, blockOf(source))),
      ...(await Promise.all(packed.map((path) => packedModule(source, path)))),
    ]
  },
}

/** `weights` of every group of the config. */
function schemes({ settings }: PackedSource): Readonly<Record<string, unknown>>[] {
  const groups = isJsonObject(settings.config_groups) ? Object.values(settings.config_groups) : []
  return groups.flatMap((group) =>
    isJsonObject(group) && isJsonObject(group.weights) ? [group.weights] : [],
  )
}

function checkFormats({ settings, fault }: PackedSource, tensor: string): void {
  const groups = isJsonObject(settings.config_groups) ? Object.values(settings.config_groups) : []
  const own = groups.map((group) => (isJsonObject(group) ? group.format : null))
  const stated = [settings.format, ...own].filter((format) => typeof format === 'string')
  const other = stated.find((format) => !FORMATS.includes(format) && format !== 'mixed-precision')
  if (other !== undefined) {
    throw fault(tensor, `has "format" ${show(other)}, expected ${FORMATS.join(', ')}`)
  }
  const { sparsity_config: sparsity } = settings
  if (isJsonObject(sparsity) && (sparsity.format ?? 'dense') !== 'dense') {
    throw fault(tensor, `has "sparsity_config.format" ${show(sparsity.format)}, expected "dense"`)
  }
}

/** Rows and columns that share a scale, where the config states blocks of both. */
function blockOf(source: PackedSource): readonly [number, number] | null {
  const block = schemes(source).find(({ strategy }) => strategy === 'block')?.block_structure
  if (!Array.isArray(block)) return null
  const [rows, columns] = block.map(Number)
  return rows && columns ? [rows, columns] : null
}

async function packedModule(source: PackedSource, path: string): Promise<PackedModule> {
  const { checkpoint, fault } = source
  const name = (part: string): string => `${path}.weight_${part}`
  const [packed, zeroPoint, gIdx] = [name('packed'), name('zero_point'), name('g_idx')]
  const [height = 0, perRow = 0] = expectTensor(source, packed, ['I32']).shape
  const { dtype } = expectTensor(source, name('shape'), ['I64', 'I32'], [2])
  const { buffer } = await checkpoint.readAll(name('shape'))
  const [rows = 0, columns = 0] =
    dtype === 'I32' ? new Int32Array(buffer) : Array.from(new BigInt64Array(buffer), Number)
  const bits = ([4, 8] as const).find(
    (bits) =>
      Math.ceil((columns * bits) / 32) === perRow &&
      schemes(source).some((scheme) => scheme.num_bits === bits && scheme.type === 'int'),
  )
  if (!bits || rows !== height || columns === 0) {
    const shape = show([height, perRow])
    throw fault(
      packed,
      `has shape ${shape}, expected ${rows} × ${columns} integers of 4 or 8 bits, as config_groups has them`,
    )
  }
  const perWord = 32 / bits
  const scales = expectTensor(source, name('scale'), FLOATS, scaleShape(source, path, rows))
  const [, count = 1] = scales.shape
  const size = groupSize(source, columns, count)
  if (Math.ceil(columns / size) !== count) {
    throw fault(scales.name, `has ${count} groups, which ${columns} columns cannot have`)
  }
  const isOrdered = checkpoint.has(gIdx)
  const groups = isOrdered
    ? await statedGroups(source, gIdx, columns, count)
    : runsOf(columns, size)
  const zeros = zerosOf(source, zeroPoint, { rows, count, bits })
  return {
    ...{ path, rows, columns, groups },
    runs: runsIn(groups, bits, size),
    spare: null,
    tensors: [packed, name('shape'), scales.name, ...zeros.tensors, ...(isOrdered ? [gIdx] : [])],
    open(data) {
      const [weight, factors] = [wordsOf(data, packed), floatsOf(data, scales)]
      return {
        codes(row, into) {
          for (let k = 0; k < columns; k++) {
            const word = weight[row * perRow + Math.floor(k / perWord)] as number
            into[k] = (word >>> ((k % perWord) * bits)) & (2 ** bits - 1)
          }
        },
        scale: (row, group) =>
          factors[scales.shape[0] === 1 ? group : row * count + group] as number,
        zero: zeros.open(data),
      }
    },
  }
}

/** Columns of a group: as stated where that comes to so many groups (the last may be shorter), else even ones. */
function groupSize(source: PackedSource, columns: number, count: number): number {
  const stated = schemes(source).map((scheme) => Number(scheme.group_size))
  return (
    stated.find((size) => size > 0 && Math.ceil(columns / size) === count) ??
    Math.ceil(columns / count)
  )
}

/** Of a tensor of scales: [rows, groups], or one for all. */
function scaleShape({ checkpoint }: PackedSource, path: string, rows: number): number[] {
  const name = `${path}.weight_scale`
  const { shape } = checkpoint.has(name) ? checkpoint.info(name) : { shape: [] }
  if (shape.length === 1 && shape[0] === 1) return [1]
  return [rows, shape[1] ?? 1]
}

/** Zeros, as what was added to the codes has moved them: the middle where none are stored. */
function zerosOf(
  source: PackedSource,
  name: string,
  { rows, count, bits }: { rows: number; count: number; bits: 4 | 8 },
): {
  tensors: string[]
  open(data: ReadonlyMap<string, Uint8Array>): (row: number, group: number) => number
} {
  const middle = 2 ** (bits - 1)
  if (!source.checkpoint.has(name)) return { tensors: [], open: () => () => middle }
  const perWord = 32 / bits
  if (expectTensor(source, name, ['I32', 'I8']).dtype === 'I8') {
    expectTensor(source, name, ['I8'], [rows, count])
    return {
      tensors: [name],
      open(data) {
        const stored = new Int8Array(bytesOf(data, name).slice().buffer)
        return (row, group) => (stored[row * count + group] as number) + middle
      },
    }
  }
  expectTensor(source, name, ['I32'], [Math.ceil(rows / perWord), count])
  return {
    tensors: [name],
    open(data) {
      const words = wordsOf(data, name)
      return (row, group) => {
        const word = words[Math.floor(row / perWord) * count + group] as number
        return (word >>> ((row % perWord) * bits)) & (2 ** bits - 1)
      }
    },
  }
}
