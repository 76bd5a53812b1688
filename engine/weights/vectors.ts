/** Small tensors (norms, biases) as float32 on the host. */
import { formatOf } from '../../kernels/index.ts'
import { EngineError } from '../errors.ts'
import type { Checkpoint } from './checkpoint.ts'

const FLOATS = new Set(['F32', 'F16', 'BF16'])

/** All values of a float tensor. Throws EngineError('model') for other types. */
export async function readFloats(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  const { dtype, shape } = checkpoint.info(name)
  if (!FLOATS.has(dtype)) {
    throw new EngineError(
      'model',
      `${name} in ${checkpoint.folder} is ${dtype}; expected F32, F16 or BF16.`,
    )
  }
  const count = shape.reduce((product, size) => product * size, 1)
  const weight = await checkpoint.readAll(name)
  return formatOf(dtype.toLowerCase()).decode({ weight }, 1, count)
}
