/** Finds the value for which a matrix cannot be quantized, and says so: only once it is known that there is one. */
import { formatOf, MOST_WEIGHT } from '../../kernels/index.ts'
import { EngineError } from '../errors.ts'
import type { Checkpoint } from './checkpoint.ts'

const CHUNK = 2 ** 20

/** @param tensors one of which has such a value */
export async function unfitValue(
  checkpoint: Checkpoint,
  tensors: readonly string[],
): Promise<EngineError> {
  for (const name of tensors) {
    const { dtype, shape } = checkpoint.info(name)
    const format = formatOf(dtype.toLowerCase())
    const total = shape.reduce((product, n) => product * n, 1)
    for (let first = 0; first < total; first += CHUNK) {
      const count = Math.min(CHUNK, total - first)
      const weight = new Uint8Array(format.rowBytes(count).weight)
      await checkpoint.read(name, format.rowBytes(first).weight, weight)
      const values = format.decode({ weight }, 1, count)
      const at = values.findIndex((value) => !(Math.abs(value) <= MOST_WEIGHT))
      if (at < 0) continue
      const place = placeOf(first + at, shape).join(', ')
      return new EngineError(
        'model',
        `${checkpoint.folder}: "${name}" is ${values[at]} at [${place}]; to be quantized, every weight must be a number of at most ${MOST_WEIGHT}. The checkpoint is damaged: fetch it again, or load it without quantizing.`,
      )
    }
  }
  throw new Error(`None of ${tensors.join(', ')} has a value that cannot be quantized.`)
}

/** Indices of the number at `at` in a tensor. */
const placeOf = (at: number, shape: readonly number[]): number[] =>
  shape.map((size, i) => {
    const inner = shape.slice(i + 1).reduce((product, n) => product * n, 1)
    return Math.floor(at / inner) % size
  })
