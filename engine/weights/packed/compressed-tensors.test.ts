import { afterAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../json.ts'
import {
  bytes,
  code,
  type Each,
  load,
  matrix,
  read,
  removeLoaded,
  scale,
  shapeOf,
  type Tensors,
  tensor,
  word,
} from './fixture.ts'

afterAll(removeLoaded)

describe('compressed-tensors', () => {
  const config = (format: string, weights: JsonObject): JsonObject => ({
    quant_method: 'compressed-tensors',
    format,
    config_groups: { group_0: { targets: ['Linear'], weights } },
  })
  const packed = (bits: number, rows: number, columns: number, groups: number): Tensors => ({
    'm.weight_packed': tensor('I32', rows, Math.ceil((columns * bits) / 32), (row, at) =>
      word(bits, (i) => {
        const k = (at * 32) / bits + i
        return k < columns ? code(bits)(row, k) : 0
      }),
    ),
    'm.weight_shape': shapeOf(rows, columns),
    'm.weight_scale': tensor('F32', rows, groups, scale),
  })

  it.each([4, 8])('of %i bits, symmetric: the middle is zero', async (num_bits) => {
    const settings = config('pack-quantized', { num_bits, type: 'int' })
    const { form, values } = await read(await load(settings, packed(num_bits, 3, 64, 2)))
    expect(form).toBe(`affine${num_bits}/32/f32`)
    const middle = 2 ** (num_bits - 1)
    const want: Each = (row, k) => (code(num_bits)(row, k) - middle) * scale(row, k >> 5)
    expect(values).toEqual(matrix(3, 64, want))
  })

  const zero: Each = (row, group) => (row * 5 + group * 3) % 16
  const zeros = {
    'packed along the rows': tensor('I32', 2, 2, (at, group) =>
      word(4, (i) => (at * 8 + i < 9 ? zero(at * 8 + i, group) : 0)),
    ),
    'in I8': bytes('I8', 9, 2, (row, group) => zero(row, group) - 8),
  }
  it.each(Object.entries(zeros))('with zero points %s', async (_, points) => {
    const settings = config('pack-quantized', { num_bits: 4, type: 'int' })
    const tensors = { ...packed(4, 9, 20, 2), 'm.weight_zero_point': points }
    const { form, values } = await read(await load(settings, tensors))
    expect(form).toBe('F32')
    const want: Each = (row, k) => {
      const group = Math.floor(k / 10)
      return (code(4)(row, k) - zero(row, group)) * scale(row, group)
    }
    expect(values).toEqual(matrix(9, 20, want))
  })

  it('with groups of the stated size, of which the last is shorter', async () => {
    const settings = config('pack-quantized', { num_bits: 4, type: 'int', group_size: 32 })
    const { form, values } = await read(await load(settings, packed(4, 3, 40, 2)))
    expect(form).toBe('F32')
    expect(values).toEqual(matrix(3, 40, (row, k) => (code(4)(row, k) - 8) * scale(row, k >> 5)))
  })

  it('of whole bytes is the affine form, too', async () => {
    const settings = config('int-quantized', { num_bits: 8, type: 'int' })
    const weight = bytes('I8', 3, 32, (row, k) => row * 32 + k - 50)
    const tensors = { 'm.weight': weight, 'm.weight_scale': tensor('F32', 3, 1, scale) }
    const { form, values } = await read(await load(settings, tensors))
    expect(form).toBe('affine8/32/f32')
    expect(values).toEqual(matrix(3, 32, (row, k) => (row * 32 + k - 50) * scale(row, 0)))
  })

  it('in a format or a shape that is not known names it', async () => {
    const four = { num_bits: 4, type: 'int' }
    const method = '"quant_method" is "compressed-tensors": tensor "m.weight_packed"'
    const loading = load(config('marlin-24', four), packed(4, 3, 64, 2))
    await expect(loading).rejects.toThrow(`${method} has "format" "marlin-24"`)
    const odd = load(config('pack-quantized', four), packed(8, 3, 64, 2))
    await expect(odd).rejects.toThrow(`${method} has shape [3, 16], expected 3 × 64 integers`)
  })
})

describe('FP8', () => {
  /** 1, 448, 2^-9, -1.5, 0.25, -0. */
  const BYTES = [0x38, 0x7e, 0x01, 0xbc, 0x28, 0x80]
  const VALUES = [1, 448, 2 ** -9, -1.5, 0.25, -0]
  const at: Each = (row, k) => (row * 5 + k) % 6
  const weight = bytes('F8_E4M3', 5, 6, (row, k) => BYTES[at(row, k)] ?? 0)
  const value: Each = (row, k) => VALUES[at(row, k)] ?? 0
  const config = (more: JsonObject): JsonObject => ({ quant_method: 'fp8', ...more })

  it('has a scale for each block, also where blocks end early', async () => {
    const scales = tensor('F32', 3, 2, scale)
    const settings = config({ weight_block_size: [2, 4] })
    const checkpoint = await load(settings, { 'm.weight': weight, 'm.weight_scale_inv': scales })
    const { values } = await read(checkpoint)
    const want: Each = (row, k) => value(row, k) * scale(row >> 1, k >> 2)
    expect(values).toEqual(matrix(5, 6, want))
  })

  it.each([
    ['row', tensor('F32', 5, 1, scale), (row: number) => scale(row, 0)],
    ['matrix', { ...tensor('F32', 1, 1, () => 0.5), shape: [] }, () => 0.5],
  ])('or one for each %s; those of activations are left out', async (_, scales, own) => {
    const tensors = { 'm.weight': weight, 'm.weight_scale': scales, 'm.input_scale': scales }
    const checkpoint = await load(config({}), tensors)
    expect(checkpoint.names()).toEqual(['m.weight'])
    const { values } = await read(checkpoint)
    expect(values).toEqual(matrix(5, 6, (row, k) => value(row, k) * own(row)))
  })

  it('without its scales, or with others, says so', async () => {
    const loading = load(config({}), { 'm.weight': weight })
    await expect(loading).rejects.toThrow('"fp8": tensor "m.weight_scale" is missing')
    const few = { 'm.weight': weight, 'm.weight_scale': tensor('F32', 4, 1, scale) }
    await expect(load(config({}), few)).rejects.toThrow('"m.weight_scale" has shape [4, 1]')
  })
})
