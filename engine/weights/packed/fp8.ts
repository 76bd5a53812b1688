/**
 * FP8 (E4M3) as DeepSeek and Qwen publish it: `weight_scale_inv` has one factor for each block of `weight_block_size`;
 * or `weight_scale`, one for all or for each row. Scales of activations are not needed: activations stay as they are.
 */
import { show } from '../json.ts'
import type { Form, PackedSource } from './form.ts'
import { scaledModule } from './scaled.ts'

export const fp8: Form = {
  method: 'fp8',
  idle: /\.(input_scale|activation_scale|k_scale|v_scale)$/,
  async modules(source) {
    return source.checkpoint
      .names()
      .filter((name) => source.checkpoint.info(name).dtype.startsWith('F8_'))
      .map((name) => moduleOf(source, name))
  },
}

function moduleOf(source: PackedSource, tensor: string) {
  const { settings, checkpoint, fault } = source
  const { fmt = 'e4m3', weight_block_size: block } = settings
  if (fmt !== 'e4m3') throw fault(tensor, `has "fmt" ${show(fmt)}, expected "e4m3"`)
  if (!tensor.endsWith('.weight'))
    throw fault(tensor, "is FP8, expected only a module's .weight to be")
  const path = tensor.slice(0, -'.weight'.length)
  const inverse = `${path}.weight_scale_inv`
  if (block === undefined || block === null) {
    const name = checkpoint.has(inverse) ? inverse : `${path}.weight_scale`
    return scaledModule(source, path, name, null)
  }
  if (!isBlock(block))
    throw fault(tensor, `has "weight_block_size" ${show(block)}, expected two positive integers`)
  return scaledModule(source, path, inverse, block)
}

const isBlock = (value: unknown): value is [number, number] =>
  Array.isArray(value) && value.length === 2 && value.every((n) => Number.isInteger(n) && n > 0)
