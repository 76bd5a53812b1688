/** Spans of keys that have workgroups of their own, joined after, are bit for bit what one workgroup makes of them all. */
import { describe, expect, test } from 'vitest'
import { type Dispatch, Plan } from './gpu/plan.ts'
import { specialise } from './gpu/specialise.ts'
import { Random } from './kernel.ts'
import { knownCase } from './known-case.ts'
import { type AttentionShape, attention } from './ops/attention.ts'
import { attentionJoin } from './ops/attention-join.ts'
import { type Prepared, prepare, readBack } from './oracle.ts'
import { ownDevice } from './testing.ts'
import { defaultTuning } from './tune.ts'

const shape: AttentionShape = {
  batch: 11,
  tiles: 2,
  tileRows: 8,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  scale: 0.25,
  kv: 'f16',
  pages: 70,
  spans: 1,
  window: 0,
  cap: 0,
  sinks: 0,
}

describe.each([
  { title: 'all features', without: [] },
  { title: 'no f16, no subgroups', without: ['shader-f16', 'subgroups'] },
] as const)('with $title', ({ without }) => {
  const own = ownDevice(without)

  async function joinOf({ buffers }: Prepared, one: AttentionShape): Promise<Dispatch> {
    const source = specialise(attentionJoin, one, {}, own.device.caps)
    const [x, y = 1, z = 1] = attentionJoin.dispatch(one, {})
    return {
      label: 'join',
      pipeline: await own.pipelines.get(source),
      bindGroup: await own.pipelines.bind(source, buffers),
      workgroups: () => [x, y, z],
    }
  }

  /** y of rows in a tile with others or each in its own, by spans that are apart or not. */
  async function attended(one: AttentionShape, isAlone: boolean): Promise<Uint32Array> {
    const form = isAlone ? { ...one, tiles: one.batch, tileRows: 1 } : one
    const tuning = defaultTuning(attention, form, own.device.caps)
    const prepared = await prepare(
      own.device,
      own.pipelines,
      attention,
      form,
      tuning,
      knownCase(attention, form, 5),
    )
    const { buffers, dispatch } = prepared
    try {
      if (isAlone) {
        const { rows } = attention.inputs(one, new Random(5))
        const tiles = Array.from({ length: one.batch }, (_, r) => [r, 1, rows![r * 4 + 2]!, 0])
        own.device.memory.write(buffers.rows as GPUBuffer, 0, rows as Uint32Array<ArrayBuffer>)
        own.device.memory.write(buffers.tiles as GPUBuffer, 0, Uint32Array.from(tiles.flat()))
      }
      new Plan(
        own.device,
        [dispatch, await joinOf(prepared, one)].slice(0, one.spans > 1 ? 2 : 1),
      ).run(1)
      const { byteLength } = prepared.known.io.y as Float32Array
      return new Uint32Array(await readBack(own.device, buffers.y as GPUBuffer, byteLength))
    } finally {
      prepared.release()
    }
  }

  test.for([
    { what: 'all keys', changes: {} },
    { what: 'a window and sinks', changes: { window: 600, sinks: 1, headDim: 20 } },
  ])('$what', async ({ changes }, { skip }) => {
    const isSlow = own.device.driver === 'lavapipe' && !own.device.caps.subgroups
    skip(isSlow, 'lavapipe compiles attention without subgroups for half a minute a variant')
    const one = { ...shape, ...changes }
    const together = await attended(one, false)
    expect(together.some((word) => word !== 0)).toBe(true)
    expect(await attended({ ...one, spans: 3 }, false)).toEqual(together)
    expect(await attended(one, true)).toEqual(together)
    expect(await attended({ ...one, spans: 3 }, true)).toEqual(together)
  })
})
