/** A kernel declaration, a shape and a tuning → WGSL. */
import { formatOf } from '../formats/index.ts'
import type { Kernel, Shape, Tuning } from '../kernel.ts'
import type { Capabilities } from './capabilities.ts'
import { composeShader, type ShaderSource } from './shader.ts'

/** Composes the source of `kernel` for one shape, tuning and device. */
export function specialise<S extends Shape, T extends Tuning>(
  kernel: Kernel<S, T>,
  shape: S,
  tuning: T,
  caps: Capabilities,
): ShaderSource {
  const weight = kernel.weight?.(shape)
  const format = weight ? formatOf(weight.format) : null
  const fragments = [...(format?.fragments ?? []), ...(kernel.uses?.(shape, tuning, caps) ?? [])]
  const consts = { ...format?.consts, ...kernel.consts(shape, tuning) }
  return composeShader(kernel.name, kernel.wgsl, fragments, consts)
}
