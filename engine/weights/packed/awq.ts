/**
 * AWQ, as AutoAWQ's GEMM version writes it: `qweight` [columns, rows / 8] and `qzeros` [groups, rows / 8], eight rows to
 * a word in the order 0, 2, 4, 6, 1, 3, 5, 7; `scales` [groups, rows].
 */
import { show } from '../json.ts'
import {
  expectTensor,
  FLOATS,
  type Form,
  floatsOf,
  groupSizeOf,
  type PackedModule,
  type PackedSource,
  pathsOfAny,
  runsOf,
  wordsOf,
} from './form.ts'

const BITS = 4
const PER_WORD = 8
/** First bit of each of a word's rows. */
const SHIFTS = [0, 16, 4, 20, 8, 24, 12, 28] as const

export const awq: Form = {
  method: 'awq',
  idle: null,
  modules: async (source) =>
    pathsOfAny(source, '.qweight', '.qzeros').map((path) => moduleOf(source, path)),
}

/** The number of `row` in words of which each line has one for eight rows. */
const numberAt = (words: Uint32Array, line: number, row: number, perLine: number): number =>
  ((words[line * perLine + (row >>> 3)] as number) >>> (SHIFTS[row & 7] as number)) & 15

function moduleOf(source: PackedSource, path: string): PackedModule {
  const name = (part: string): string => `${path}.${part}`
  const { settings, fault } = source
  const [qweight, qzeros] = [name('qweight'), name('qzeros')]
  const { version = 'gemm', bits } = settings
  if (bits !== BITS) throw fault(qweight, `has "bits" ${show(bits)}, expected 4`)
  if (typeof version !== 'string' || version.toLowerCase() !== 'gemm') {
    throw fault(qweight, `has "version" ${show(version)}, expected "gemm"`)
  }
  const [columns = 0, perLine = 0] = expectTensor(source, qweight, ['I32']).shape
  const rows = perLine * PER_WORD
  const size = groupSizeOf(source, qweight, columns)
  const count = Math.ceil(columns / size)
  expectTensor(source, qzeros, ['I32'], [count, perLine])
  const scales = expectTensor(source, name('scales'), FLOATS, [count, rows])
  return {
    ...{ path, rows, columns },
    groups: runsOf(columns, size),
    runs: { bits: BITS, size },
    spare: null,
    tensors: [qweight, qzeros, scales.name],
    open(data) {
      const [weight, zeros] = [wordsOf(data, qweight), wordsOf(data, qzeros)]
      const factors = floatsOf(data, scales)
      return {
        codes(row, into) {
          for (let k = 0; k < columns; k++) into[k] = numberAt(weight, k, row, perLine)
        },
        scale: (row, group) => factors[group * rows + row] as number,
        zero: (row, group) => numberAt(zeros, group, row, perLine),
      }
    },
  }
}
