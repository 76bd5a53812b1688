/**
 * What "the same tokens whatever the company" rests on: a row's outputs are the same bits whether it is computed alone or
 * in a tile with others, in the tunings that the engine takes.
 */
import { describe, expect, test } from 'vitest'
import { type Kernel, mapForms, type Shape, type Tuning } from './kernel.ts'
import { knownCase } from './known-case.ts'
import { type MatmulTuning, paddedColumns } from './lib/matmul.ts'
import { type AttentionShape, attention } from './ops/attention.ts'
import { type GateUpShape, gateUp } from './ops/gate-up.ts'
import { type LinearShape, linear } from './ops/linear.ts'
import { type QkvShape, qkv } from './ops/qkv.ts'
import type { Prepared } from './oracle.ts'
import { outputsOf, ownDevice } from './testing.ts'
import { defaultTuning } from './tune.ts'
import { formsOf } from './tuned.ts'

/** A whole tile and a part of one: every place in a tile, and a tile with places to spare. */
const ROWS = 11
const FORMATS = ['f32', 'f16', 'bf16', 'affine4/32/f16', 'affine4/64/bf16', 'affine8/64/f32']

const linearShape = (format: string, add: number): LinearShape => ({
  format,
  batch: ROWS,
  rows: 131,
  columns: 192,
  start: 0,
  add,
  total: 131,
  stride: paddedColumns(131),
  output: 'plain',
  factor: 1,
  cap: 0,
})

const gateUpShape = (format: string, activation: GateUpShape['activation']): GateUpShape => ({
  format,
  batch: ROWS,
  rows: 322,
  columns: 192,
  start: 0,
  activation,
  stride: paddedColumns(161),
})

const qkvShape = (format: string, headDim: number, kv: QkvShape['kv']): QkvShape => ({
  format,
  batch: ROWS,
  rows: (3 + 2) * headDim,
  columns: 192,
  start: 0,
  heads: 3,
  kvHeads: 1,
  headDim,
  kv,
  pages: 2,
})

const attentionShape = (
  heads: number,
  kvHeads: number,
  headDim: number,
  kv: AttentionShape['kv'],
): AttentionShape => ({
  batch: 21,
  tiles: 3,
  tileRows: 8,
  heads,
  kvHeads,
  headDim,
  scale: headDim ** -0.5,
  kv,
  pages: 9,
  spans: 1,
  window: 0,
  cap: 0,
  sinks: 0,
})

// Drivers compile the plain variants slowly: of those a few.
describe.each([
  { title: 'all features', without: [], every: 1 },
  { title: 'no f16, no subgroups', without: ['shader-f16', 'subgroups'], every: 3 },
] as const)('with $title', ({ without, every }) => {
  const some = <T>(all: readonly T[]): T[] => all.filter((_, i) => i % every === 0)
  const own = ownDevice(without)

  /** `before` changes the inputs. */
  const outputs = <S extends Shape, T extends Tuning>(
    kernel: Kernel<S, T>,
    shape: S,
    tuning: T,
    before?: (prepared: Prepared) => void,
  ): Promise<Record<string, Uint32Array>> =>
    outputsOf(own, kernel, shape, tuning, knownCase(kernel, shape, 3), before)

  function expectSame(
    what: string,
    a: Record<string, Uint32Array>,
    b: Record<string, Uint32Array>,
  ): void {
    expect(Object.keys(a).length).toBeGreaterThan(0)
    for (const [name, words] of Object.entries(a)) {
      const other = b[name] ?? new Uint32Array(0)
      expect(
        words.some((word) => word !== 0),
        `${what}: ${name} was written`,
      ).toBe(true)
      const at = words.findIndex((word, i) => word !== other[i])
      expect(at, `${what}: word ${at} of ${name} differs`).toBe(-1)
      expect(other.length).toBe(words.length)
    }
  }

  async function checkProduct<S extends LinearShape | GateUpShape | QkvShape>(
    kernel: Kernel<S, MatmulTuning>,
    shape: S,
  ): Promise<void> {
    const { one, several, many } = mapForms(formsOf(kernel, shape), (of) =>
      defaultTuning(kernel, of, own.device.caps),
    )
    const alone = await outputs(kernel, shape, one)
    for (const tuning of [several, many]) {
      const what = `${kernel.name} ${JSON.stringify({ ...shape, ...tuning })}`
      expectSame(what, alone, await outputs(kernel, shape, tuning))
    }
  }

  test.each(some(FORMATS))('products over %s', async (format) => {
    await checkProduct(linear, linearShape(format, 0))
    await checkProduct(linear, linearShape(format, 1))
    await checkProduct(gateUp, gateUpShape(format, 'silu'))
    await checkProduct(qkv, qkvShape(format, 64, 'f16'))
  })

  test('products over activations of eight bits', async () => {
    const x = 'int8'
    await checkProduct(linear, { ...linearShape('affine4/32/f16', 1), x })
    await checkProduct(linear, { ...linearShape('affine8/64/f32', 0), x })
    await checkProduct(qkv, { ...qkvShape('affine4/32/f16', 64, 'f16'), x })
  })

  test('further activations, head sizes and types of the cache', async () => {
    await checkProduct(gateUp, gateUpShape('bf16', 'gelu'))
    await checkProduct(gateUp, gateUpShape('bf16', 'gelu-tanh'))
    await checkProduct(qkv, qkvShape('bf16', 20, 'int8'))
    await checkProduct(qkv, qkvShape('bf16', 6, 'f32'))
  })

  const shapes = [
    attentionShape(9, 3, 64, 'f16'),
    attentionShape(4, 4, 20, 'f32'),
    attentionShape(6, 1, 6, 'f16'),
    attentionShape(12, 1, 128, 'int8'),
    attentionShape(3, 3, 80, 'int8'),
    { ...attentionShape(4, 2, 16, 'f16'), window: 37, cap: 2 },
    { ...attentionShape(4, 2, 16, 'f32'), window: 24, sinks: 1 },
  ]
  test.each(some(shapes))(
    'attention of $heads heads of $headDim over $kvHeads in $kv',
    async (tiled) => {
      let rows = new Uint32Array(0)
      const several = await outputs(
        attention,
        tiled,
        defaultTuning(attention, tiled, own.device.caps),
        ({ known: { io } }) => {
          rows = io.rows as Uint32Array<ArrayBuffer>
        },
      )
      const single = { ...tiled, tiles: tiled.batch, tileRows: 1 }
      const tuning = defaultTuning(attention, single, own.device.caps)
      const one = await outputs(attention, single, tuning, ({ buffers }) => {
        // The same rows, each in a tile of its own.
        const tiles = Array.from({ length: tiled.batch }, (_, row) => [
          row,
          1,
          rows[row * 4 + 2]!,
          0,
        ])
        own.device.memory.write(buffers.rows as GPUBuffer, 0, rows)
        own.device.memory.write(buffers.tiles as GPUBuffer, 0, Uint32Array.from(tiles.flat()))
      })
      expectSame(`attention ${JSON.stringify(tiled)}`, one, several)
    },
  )
})
