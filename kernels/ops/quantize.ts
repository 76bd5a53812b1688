/** Floats to 4 or 8 bits, in place of the format they came in; see quantize.wgsl. */
import { storeAffine } from '../formats/affine.ts'
import type { FloatName } from '../formats/floats.ts'
import { BLOCK_ROWS, rowsFrom, type SourceRows } from '../formats/format.ts'
import { formatOf } from '../formats/index.ts'
import { type Arrays, defineKernel, type Fragment, type Random } from '../kernel.ts'
import { MOST_WEIGHT, quantizeGroup, SEARCHES, type Search } from './quantize-oracle.ts'

/** `rows` rows of floats of type `source`; `rowBlock`: where among the blocks of rows of the matrix they go. */
export type QuantizeShape = {
  source: FloatName
  bits: number
  group: number
  rows: number
  columns: number
  rowBlock: number
}

const EXACT: Fragment = { wgsl: new URL('../lib/exact.wgsl', import.meta.url) }

/** Of the matrix that it writes. */
export const quantizedFormat = (bits: number, group: number): string => `affine${bits}/${group}/f16`

const searchOf = (bits: number): Search => SEARCHES[bits] as Search
const blocksOf = (rows: number): number => Math.ceil(rows / BLOCK_ROWS)
const bytesOf = (source: FloatName): number => (source === 'f32' ? 4 : 2)

function randomRows({ source, rows, columns, group }: QuantizeShape, random: Random): Uint8Array {
  const values = Float32Array.from({ length: rows * columns }, (_, i) => {
    const which = Math.floor(i / group) % 7
    // Groups of one value, of zeros, far from zero, and with an outlier, besides the usual ones.
    if (which < 2) return which * 0.3
    if (which === 2) return 40 + random.f32(0.5)
    if (which === 3 && i % group === 5) return 3
    return random.f32(0.05) + random.f32(0.05) + random.f32(0.02)
  })
  return formatOf(source).encode(values, rows, columns).weight
}

/** Rows of a matrix quantized on the CPU, as a checkpoint would hold them. */
function quantizeRows(values: Float32Array, { bits, group }: QuantizeShape): SourceRows {
  const groups = values.length / group
  const weight = new Uint8Array((values.length * bits) / 8)
  const scales = new Uint16Array(groups)
  const biases = new Uint16Array(groups)
  for (let g = 0; g < groups; g++) {
    const found = quantizeGroup(values.subarray(g * group, (g + 1) * group), bits)
    scales[g] = found.scale
    biases[g] = found.bias
    for (const [i, code] of found.codes.entries()) {
      const at = ((g * group + i) * bits) / 8
      weight[Math.floor(at)]! |= code << ((at % 1) * 8)
    }
  }
  return { weight, scales: new Uint8Array(scales.buffer), biases: new Uint8Array(biases.buffer) }
}

/** The output buffers after `shape`'s rows: what lies before them stays. */
function packQuantized(shape: QuantizeShape, rows: SourceRows, io: Arrays): void {
  const format = formatOf(quantizedFormat(shape.bits, shape.group))
  for (let block = 0; block < blocksOf(shape.rows); block++) {
    const from = block * BLOCK_ROWS
    const order = rowsFrom(from, Math.min(BLOCK_ROWS, shape.rows - from))
    const into = { words: io.w as Uint32Array, scales: io.w_scale as Uint32Array }
    format.pack(rows, order, shape.columns, into, shape.rowBlock + block)
  }
}

const shape = (
  source: FloatName,
  bits: number,
  group: number,
  rows: number,
  columns: number,
  rowBlock = 0,
): QuantizeShape => ({ source, bits, group, rows, columns, rowBlock })

export const quantize = defineKernel<QuantizeShape, Record<never, number>>({
  name: 'quantize',
  summary: 'floats → codes of 4 or 8 bits with a scale and a bias a group, of least squared error',
  wgsl: new URL('./quantize.wgsl', import.meta.url),
  uses: () => [EXACT, storeAffine],
  consts({ source, bits, group }) {
    const { margins, tries } = searchOf(bits)
    const [first, other] = margins as [number, number]
    const step = (margin: number): number => (1 - 2 * margin) / (2 ** bits - 1)
    return {
      BITS: bits,
      GROUP: group,
      UNITS: bits,
      BLOCK_ROWS,
      SOURCE_BYTES: bytesOf(source),
      SOURCE_F16: source === 'f16' ? 1 : 0,
      STARTS: margins.length,
      TRIES: tries,
      STEP_0: step(first),
      STEP_1: step(other),
      MARGIN_1: other,
    }
  },
  dispatch: ({ rows, columns, group }) => [columns / group, blocksOf(rows)],
  tune: {},
  inputs(one, random) {
    const format = formatOf(quantizedFormat(one.bits, one.group))
    const per = format.wordsPerRowBlock(one.columns)
    const blocks = one.rowBlock + blocksOf(one.rows)
    const bytes = randomRows(one, random)
    return {
      source: new Uint32Array(bytes.buffer),
      job: new Uint32Array([one.columns / 32, one.rows, one.rowBlock, 1]),
      faults: new Uint32Array(3),
      w: new Uint32Array(per.words * blocks),
      w_scale: new Uint32Array(per.scales * blocks),
    }
  },
  oracle(one, io) {
    const weight = new Uint8Array(io.source!.buffer)
    const values = formatOf(one.source).decode({ weight }, one.rows, one.columns)
    if (values.some((value) => !(Math.abs(value) <= MOST_WEIGHT))) io.faults![1] = 1
    packQuantized(one, quantizeRows(values, one), io)
  },
  tolerance: 0,
  cases: [
    shape('bf16', 4, 32, 64, 576),
    shape('bf16', 8, 32, 70, 96, 2),
    shape('f16', 4, 64, 130, 192),
    shape('f16', 8, 64, 3, 64),
    shape('f32', 4, 128, 65, 256, 1),
    shape('f32', 8, 128, 64, 384),
    shape('f16', 4, 64, 1, 128),
  ],
  bench: {
    'smollm2 bf16 to int4': shape('bf16', 4, 32, 3072, 576),
    'smollm2 bf16 to int8': shape('bf16', 8, 32, 3072, 576),
  },
  cost: ({ source, rows, columns, bits }) => ({
    bytes: rows * columns * (bytesOf(source) + bits / 8),
    flops: rows * columns * (16 * searchOf(bits).margins.length * searchOf(bits).tries + 8),
  }),
})
