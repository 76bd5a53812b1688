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
  type Tensors,
  tensor,
  vector,
  word,
} from './fixture.ts'

afterAll(removeLoaded)

describe('GPTQ', () => {
  const rows = 8
  const columns = 64
  /** Zeros from 0 on, which are stored less one. */
  const zero =
    (bits: number): Each =>
    (row, group) =>
      (row + 2 * group) % 2 ** bits
  const tensors = (bits: number, groups: number, less: number): Tensors => ({
    'm.qweight': tensor('I32', (columns * bits) / 32, rows, (line, row) =>
      word(bits, (i) => code(bits)(row, (line * 32) / bits + i)),
    ),
    'm.qzeros': tensor('I32', groups, (rows * bits) / 32, (group, at) =>
      word(bits, (i) => (zero(bits)((at * 32) / bits + i, group) - less + 2 ** bits) % 2 ** bits),
    ),
    'm.scales': tensor('F32', groups, rows, (group, row) => scale(row, group)),
  })
  const want = (bits: number, groupOf: (k: number) => number): number[] =>
    matrix(rows, columns, (row, k) => {
      const group = groupOf(k)
      return (code(bits)(row, k) - zero(bits)(row, group)) * scale(row, group)
    })
  const config = (bits: number, size: number, more: JsonObject = {}): JsonObject => ({
    ...{ quant_method: 'gptq', bits, group_size: size, ...more },
  })

  it.each([4, 8])('of %i bits, zeros less one: the affine form', async (bits) => {
    const checkpoint = await load(config(bits, 32), tensors(bits, 2, 1))
    const { form, values } = await read(checkpoint)
    expect(form).toBe(`affine${bits}/32/f32`)
    expect(values).toEqual(want(bits, (k) => k >> 5))
  })

  it('a module without its qweight is not overlooked', async () => {
    const { 'm.qweight': _, ...others } = tensors(4, 2, 1)
    const loading = load(config(4, 32), others)
    await expect(loading).rejects.toThrow('"gptq": tensor "m.qweight" is missing')
  })

  it('v2 has its zeros as they are, a group may be a row', async () => {
    const settings = config(4, -1, { checkpoint_format: 'gptq_v2' })
    const { form, values } = await read(await load(settings, tensors(4, 1, 0)))
    expect(form).toBe('affine4/64/f32')
    expect(values).toEqual(want(4, () => 0))
  })

  it('act-order: each column has the group that g_idx gives it', async () => {
    const groupOf = (k: number): number => (k * 3 + (k >> 4)) & 1
    const order = vector(Array.from({ length: columns }, (_, k) => groupOf(k)))
    const checkpoint = await load(config(4, 32), { ...tensors(4, 2, 1), 'm.g_idx': order })
    const { form, values } = await read(checkpoint)
    expect(form).toBe('F32')
    expect(values).toEqual(want(4, groupOf))
  })

  it('is read at any range of bytes, and nothing of it is left over', async () => {
    const other = tensor('F32', 1, 2, () => 7)
    const checkpoint = await load(config(4, 16), { ...tensors(4, 4, 1), 'lm_head.weight': other })
    expect(checkpoint.names()).toEqual(['lm_head.weight', 'm.weight'])
    expect(await checkpoint.readAll('lm_head.weight')).toEqual(other.data)
    const whole = await checkpoint.readAll('m.weight')
    const part = new Uint8Array(columns * 8 - 3)
    await checkpoint.read('m.weight', columns * 4 + 1, part)
    expect(part).toEqual(whole.slice(columns * 4 + 1, columns * 4 + 1 + part.length))
    expect(checkpoint.bytes).toBe(whole.length + 8)
  })

  it('a bias of zeros is there for a model that has one, and not in the way of others', async () => {
    const bias = (value: number) => tensor('F32', 1, 1, () => value)
    const none = await load(config(4, 16), { ...tensors(4, 4, 1), 'm.bias': bias(0) })
    expect([none.names(), none.has('m.bias')]).toEqual([['m.weight'], true])
    const some = await load(config(4, 16), { ...tensors(4, 4, 1), 'm.bias': bias(1) })
    expect(some.names()).toEqual(['m.bias', 'm.weight'])
  })

  it.each([
    ['bits', config(3, 32), {}, '"m.qweight" has "bits" 3'],
    [
      'a version',
      config(4, 32, { checkpoint_format: 'marlin' }),
      {},
      '"m.qzeros" has "checkpoint_format"',
    ],
    ['a group', config(4, 0), {}, '"m.qweight" has "group_size" 0'],
    ['a shape', config(4, 16), {}, '"m.qzeros" has shape'],
    ['a type', config(4, 32), { 'm.scales': bytes('I8', 2, 8, () => 0) }, '"m.scales" is I8'],
    ['an index', config(4, 32), { 'm.g_idx': vector(Array(64).fill(2)) }, '"m.g_idx" has 2 at 0'],
  ])('says what it does not know: %s', async (_, settings, more, text) => {
    const loading = load(settings, { ...tensors(4, 2, 1), ...more })
    await expect(loading).rejects.toThrow(`"quant_method" is "gptq": tensor ${text}`)
  })
})

describe('AWQ', () => {
  /** Row of each nibble of a word, as AutoAWQ's packer has it. */
  const order = [0, 2, 4, 6, 1, 3, 5, 7]
  const settings = { quant_method: 'awq', bits: 4, group_size: 32, version: 'gemm' }
  const zero: Each = (row, group) => (row * 3 + group) % 16
  const packed = (each: Each) => (line: number, at: number) =>
    word(4, (i) => each(at * 8 + (order[i] ?? 0), line))
  const tensors: Tensors = {
    'm.qweight': tensor('I32', 64, 2, packed(code(4))),
    'm.qzeros': tensor('I32', 2, 2, packed(zero)),
    'm.scales': tensor('F32', 2, 16, (group, row) => scale(row, group)),
  }

  it('has eight rows to a word, out of order', async () => {
    const { form, values } = await read(await load(settings, tensors))
    expect(form).toBe('affine4/32/f32')
    const want: Each = (row, k) => (code(4)(row, k) - zero(row, k >> 5)) * scale(row, k >> 5)
    expect(values).toEqual(matrix(16, 64, want))
  })

  it('in another version is not known', async () => {
    const loading = load({ ...settings, version: 'gemv' }, tensors)
    await expect(loading).rejects.toThrow('"awq": tensor "m.qweight" has "version" "gemv"')
  })
})

it('a method that is not known is named, with a tensor', async () => {
  const tensors = {
    'a.weight': tensor('F32', 1, 1, () => 0),
    'b.weight': bytes('U8', 1, 1, () => 0),
  }
  const loading = load({ quant_method: 'bitsandbytes' }, tensors)
  await expect(loading).rejects.toThrow(
    '"quant_method" is "bitsandbytes", which is not known; tensor "b.weight" is packed by it',
  )
})
