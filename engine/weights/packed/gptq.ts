/**
 * GPTQ, as AutoGPTQ and GPTQModel write it: `qweight` [columns × bits / 32, rows], packed down the columns of the row;
 * `qzeros` [groups, rows × bits / 32], packed along the rows; `scales` [groups, rows]; `g_idx` [columns], the group of
 * each. Zeros of the first format ("gptq") are stored less one, those of "gptq_v2" as they are. Older writers gave every
 * module a bias, of zeros where the model has none.
 */
import { show } from '../json.ts'
import { readFloats } from '../vectors.ts'
import {
  bitsOf,
  expectTensor,
  FLOATS,
  type Form,
  floatsOf,
  groupSizeOf,
  type PackedModule,
  type PackedSource,
  pathsOfAny,
  runsIn,
  runsOf,
  statedGroups,
  wordsOf,
} from './form.ts'

export const gptq: Form = {
  method: 'gptq',
  idle: null,
  modules: (source) =>
    Promise.all(pathsOfAny(source, '.qweight', '.qzeros').map((path) => moduleOf(source, path))),
}

/** What is added to a stored zero. */
function zeroOffset({ settings, fault }: PackedSource, tensor: string): number {
  const { checkpoint_format: format } = settings
  if (format === undefined || format === null || format === 'gptq') return 1
  if (format === 'gptq_v2') return 0
  throw fault(tensor, `has "checkpoint_format" ${show(format)}, expected "gptq" or "gptq_v2"`)
}

/** `name`, where it is there and zero. */
async function zeroBias({ checkpoint }: PackedSource, name: string): Promise<string | null> {
  if (!checkpoint.has(name)) return null
  const values = await readFloats(checkpoint, name)
  return values.every((value) => value === 0) ? name : null
}

async function moduleOf(source: PackedSource, path: string): Promise<PackedModule> {
  const name = (part: string): string => `${path}.${part}`
  const [qweight, qzeros, gIdx] = [name('qweight'), name('qzeros'), name('g_idx')]
  const bits = bitsOf(source, qweight)
  const perWord = 32 / bits
  const [words = 0, rows = 0] = expectTensor(source, qweight, ['I32']).shape
  const columns = words * perWord
  const size = groupSizeOf(source, qweight, columns)
  const count = Math.ceil(columns / size)
  const zeroWords = Math.ceil(rows / perWord)
  expectTensor(source, qzeros, ['I32'], [count, zeroWords])
  const scales = expectTensor(source, name('scales'), FLOATS, [count, rows])
  const groups = source.checkpoint.has(gIdx)
    ? await statedGroups(source, gIdx, columns, count)
    : runsOf(columns, size)
  const offset = zeroOffset(source, qzeros)
  const most = 2 ** bits - 1
  return {
    ...{ path, rows, columns, groups },
    runs: runsIn(groups, bits, size),
    spare: await zeroBias(source, name('bias')),
    tensors: [qweight, qzeros, scales.name, ...(source.checkpoint.has(gIdx) ? [gIdx] : [])],
    open(data) {
      const [weight, zeros] = [wordsOf(data, qweight), wordsOf(data, qzeros)]
      const factors = floatsOf(data, scales)
      return {
        codes(row, into) {
          for (let k = 0; k < columns; k++) {
            const word = weight[Math.floor(k / perWord) * rows + row] as number
            into[k] = (word >>> ((k % perWord) * bits)) & most
          }
        },
        scale: (row, group) => factors[group * rows + row] as number,
        zero(row, group) {
          const word = zeros[group * zeroWords + Math.floor(row / perWord)] as number
          // A zero of 0, less one, was stored as the largest number.
          return (((word >>> ((row % perWord) * bits)) & most) + offset) & most
        },
      }
    },
  }
}
