/** Numbers of rows as they are stored: as floats, and what is not affine as codes of 8 bits. */
import { f32ToF16 } from '../../kernels/index.ts'
import type { GgufType } from '../weights/gguf-header.ts'
import { affineType, GROUP, type Groups, plainType, roundedType } from './block-types.ts'
import { F16_VALUES } from './float16.ts'

/** Room for `count` numbers. */
const groupsFor = (count: number): Groups => ({
  codes: new Uint8Array(count),
  scales: new Float32Array(count / GROUP),
  biases: new Float32Array(count / GROUP),
})

/** Rows of a quantized type as runs of 32, exactly, or (of the other types) as near as 8 bits come. */
export function unpackRows(type: GgufType, source: Uint8Array): Groups {
  const blocks = source.length / type.bytes
  const groups = groupsFor(blocks * type.block)
  const affine = affineType(type.name)
  if (affine === null) {
    nearest(decodeRows(type, source), groups)
    return groups
  }
  for (let b = 0; b < blocks; b++) {
    affine.unpack(source, b * type.bytes, groups, (b * type.block) / GROUP)
  }
  return groups
}

/** Rows of any type that is read, as f32: without rounding, but for the K types, which ggml rounds likewise. */
export function decodeRows(type: GgufType, source: Uint8Array): Float32Array {
  const plain = plainType(type.name)
  if (plain === 'F32') return new Float32Array(source.slice().buffer)
  if (plain !== null) {
    const bits = new Uint16Array(source.slice().buffer)
    if (plain === 'F16') return Float32Array.from(bits, (each) => F16_VALUES[each]!)
    return new Float32Array(Uint32Array.from(bits, (each) => each << 16).buffer)
  }
  const blocks = source.length / type.bytes
  const values = new Float32Array(blocks * type.block)
  const rounded = roundedType(type.name)
  if (rounded !== null) {
    for (let b = 0; b < blocks; b++) rounded.numbers(source, b * type.bytes, values, b * type.block)
    return values
  }
  const { codes, scales, biases } = unpackRows(type, source)
  for (let i = 0; i < values.length; i++) {
    values[i] = scales[i >> 5]! * codes[i]! + biases[i >> 5]!
  }
  return values
}

/** Codes of 8 bits over the range of each run, scale and bias as F16. */
function nearest(values: Float32Array, { codes, scales, biases }: Groups): void {
  for (let group = 0; group < scales.length; group++) {
    const from = group * GROUP
    let low = values[from]!
    let high = low
    for (let i = from + 1; i < from + GROUP; i++) {
      const value = values[i]!
      if (value < low) low = value
      else if (value > high) high = value
    }
    const bias = F16_VALUES[f32ToF16(low)]!
    const scale = F16_VALUES[f32ToF16((high - low) / 255)]!
    const inverse = scale > 0 ? 1 / scale : 0
    for (let i = from; i < from + GROUP; i++) {
      const code = Math.round((values[i]! - bias) * inverse)
      codes[i] = Math.min(Math.max(code, 0), 255)
    }
    scales[group] = scale
    biases[group] = bias
  }
}
