/**
 * An RMS norm between blocks is folded into the products beside it in steps of few rows, and a dispatch of its own in steps
 * of several: the residual, the rows that are left and what is made of them are the same bits.
 */
import { describe, expect, test } from 'vitest'
import type { Kernel, Shape, Tuning } from './kernel.ts'
import { knownCase } from './known-case.ts'
import { factorAt, type LeftType, leftRowWords } from './lib/left-rows.ts'
import { type MatmulTuning, paddedColumns, SEVERAL_ROWS } from './lib/matmul.ts'
import { type GateUpShape, gateUp } from './ops/gate-up.ts'
import { linear } from './ops/linear.ts'
import { linearNorm } from './ops/linear-norm.ts'
import { type QkvShape, qkv } from './ops/qkv.ts'
import { rmsNormLeft } from './ops/rms-norm-left.ts'
import type { Prepared } from './oracle.ts'
import { outputsOf, ownDevice } from './testing.ts'
import { defaultTuning } from './tune.ts'

/** A whole tile and a part of one. */
const ROWS = 11
const EPS = 1e-5

const qkvShape = (format: string, columns: number): QkvShape => ({
  ...{ format, batch: ROWS, rows: 5 * 64, columns, start: 0 },
  ...{ heads: 3, kvHeads: 1, headDim: 64, kv: 'f16', pages: 2 },
})
const gateUpShape = (format: string, columns: number): GateUpShape => ({
  ...{ format, batch: ROWS, rows: 132, columns, start: 0 },
  ...{ activation: 'silu', stride: paddedColumns(66) },
})

describe.each([
  { title: 'all features', without: [] },
  { title: 'no f16, no subgroups', without: ['shader-f16', 'subgroups'] },
] as const)('with $title', ({ without }) => {
  const own = ownDevice(without)

  /** Of a case's inputs with `given` in place of some. */
  const run = <S extends Shape, T extends Tuning>(
    kernel: Kernel<S, T>,
    shape: S,
    tuning: T,
    given: Readonly<Record<string, Uint32Array>>,
  ): Promise<Record<string, Uint32Array>> => {
    const write = ({ buffers }: Prepared): void => {
      for (const [name, words] of Object.entries(given)) {
        own.device.memory.write(buffers[name] as GPUBuffer, 0, words)
      }
    }
    const known = knownCase(kernel, shape, 5)
    return outputsOf(own, kernel, shape, tuning, known, write)
  }

  function expectSame(what: string, a: Uint32Array, b: Uint32Array): void {
    expect(a.length).toBe(b.length)
    expect(a.some((word) => word !== 0)).toBe(true)
    const at = a.findIndex((word, i) => word !== b[i])
    expect(at, `${what}: word ${at} is ${a[at]} and ${b[at]}`).toBe(-1)
  }

  /** A block's last product over ROWS rows in both ways; the rows that are left, the factor among them. */
  async function leave(
    format: string,
    columns: number,
    next: LeftType,
    output: 'plain' | 'scaled',
  ): Promise<Uint32Array> {
    const of = { format, batch: ROWS, rows: columns, columns: 160, start: 0, total: columns }
    const onto = { ...of, output, factor: 0.7, cap: 0 }
    const several = { ...onto, add: 1, stride: paddedColumns(columns) }
    const { io } = knownCase(linearNorm, { ...onto, next }, 5)
    const words = (name: string): Uint32Array => new Uint32Array(io[name]!.buffer.slice(0))
    const start = { x: words('x'), bias: words('bias'), y: words('y') }
    // What lay there before is no matter.
    const dirty = new Uint32Array(ROWS * leftRowWords(next, columns)).fill(7)
    const weight = words('weight')

    // The engine takes the tuning of the plain product.
    const alone = defaultTuning(linear, { ...several, batch: 1 }, own.device.caps)
    const folded = await run(linearNorm, { ...onto, next }, alone, {
      ...start,
      weight,
      next: dirty,
    })
    const tuning = defaultTuning(linear, several, own.device.caps)
    const { y: residual } = await run(linear, several, tuning, start)
    expectSame('the residual', folded.y!, residual!)

    const norm = { rows: ROWS, columns, eps: EPS, next }
    const normTuning = defaultTuning(rmsNormLeft, norm, own.device.caps)
    const given = { x: residual!, weight, next: dirty }
    const { next: left } = await run(rmsNormLeft, norm, normTuning, given)
    for (let m = 0; m < ROWS; m++) {
      const at = factorAt(next, columns, m)
      expect(folded.next![at]).toBe(dirty[at])
      folded.next![at] = left![at]!
    }
    expectSame('the rows left', folded.next!, left!)
    return left!
  }

  /** A product over rows that are left: in the form for one row it adds the squares, in that for several it takes the factor. */
  async function read<S extends GateUpShape | QkvShape>(
    kernel: Kernel<S, MatmulTuning>,
    shape: S,
    next: LeftType,
    x: Uint32Array,
  ): Promise<void> {
    const given = { ...shape, eps: EPS, ...(next === 'int8' ? { x: next } : {}) }
    const single = { ...given, batch: 1 }
    const uses: Kernel<S, MatmulTuning>['uses'] = (_, ...more) =>
      kernel.uses?.(single, ...more) ?? []
    const alone = defaultTuning(kernel, single, own.device.caps)
    // Without the factors, which nobody leaves there.
    const bare = x.slice()
    for (let m = 0; m < ROWS; m++) bare[factorAt(next, shape.columns, m)] = 0
    const one = await run({ ...kernel, uses }, given, alone, { x: bare })
    for (const batch of [SEVERAL_ROWS, ROWS]) {
      const tuning = defaultTuning(kernel, { ...given, batch }, own.device.caps)
      const together = await run(kernel, given, tuning, { x })
      for (const [name, words] of Object.entries(one)) {
        expectSame(`${kernel.name}: ${name}`, words, together[name]!)
      }
    }
  }

  test.each([
    ['bf16', 200, 'f32', 'plain'],
    ['affine4/32/f16', 576, 'f32', 'scaled'],
    ['affine4/32/f16', 576, 'int8', 'plain'],
    ['affine8/64/bf16', 200, 'int8', 'scaled'],
  ] as const)('%s, %i columns, left in %s, %s', async (format, columns, next, output) => {
    const left = await leave(format, columns, next, output)
    await read(qkv, qkvShape(format, columns), next, left)
    await read(gateUp, gateUpShape(format, columns), next, left)
  })
})
