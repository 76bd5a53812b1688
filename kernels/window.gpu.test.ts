/** With a window attention does no work for keys before it, and reads no page of theirs: somebody else may hold it. */
import { describe, expect, test } from 'vitest'
import { Plan } from './gpu/plan.ts'
import { knownCase } from './known-case.ts'
import { PAGE, pageWords } from './lib/kv-layout.ts'
import { type AttentionShape, attention } from './ops/attention.ts'
import { prepare, readBack } from './oracle.ts'
import { ownDevice } from './testing.ts'
import { defaultTuning } from './tune.ts'

const WINDOW = 600
const shapeOf = (rows: number, pages: number): AttentionShape => ({
  ...{ batch: rows, tiles: 1, tileRows: rows, heads: 4, kvHeads: 2, headDim: 16, scale: 0.25 },
  ...{ kv: 'f32', pages, spans: 1, window: WINDOW, cap: 0, sinks: 0 },
})
const pagesOf = (windows: number): number => (windows * WINDOW) / PAGE
const NOT_A_NUMBER = 0x7fc00000

describe.each([
  { title: 'all features', without: [] },
  { title: 'no subgroups', without: ['subgroups'] },
] as const)('with $title', ({ without }) => {
  const own = ownDevice(without)

  test.for([1, 8])(
    '%i rows: the same bits, whatever lies before the window',
    async (rows, { skip }) => {
      const isSlow = own.device.driver === 'lavapipe' && !own.device.caps.subgroups
      skip(isSlow, 'lavapipe compiles attention without subgroups for half a minute a variant')
      const shape = shapeOf(rows, pagesOf(2))
      const tuning = defaultTuning(attention, shape, own.device.caps)
      const prepared = await prepare(
        own.device,
        own.pipelines,
        attention,
        shape,
        tuning,
        knownCase(attention, shape, 3),
      )
      const { buffers, dispatch, known } = prepared
      try {
        const { byteLength } = known.io.y as Float32Array
        const run = async (): Promise<Uint32Array> => {
          new Plan(own.device, [dispatch]).run(1)
          return new Uint32Array(await readBack(own.device, buffers.y as GPUBuffer, byteLength))
        }
        const clean = await run()
        expect(clean.some((word) => word !== 0)).toBe(true)
        const first = Math.floor((shape.pages * PAGE - rows + 1 - WINDOW) / PAGE)
        const cache = known.io.kv_cache as Uint32Array
        const words = pageWords(shape)
        for (const page of (known.io.page_table as Uint32Array).subarray(0, first)) {
          cache.fill(NOT_A_NUMBER, page * words, (page + 1) * words)
        }
        own.device.memory.write(buffers.kv_cache as GPUBuffer, 0, cache as Uint32Array<ArrayBuffer>)
        expect(await run()).toEqual(clean)
      } finally {
        prepared.release()
      }
    },
  )

  test('a token at four windows takes the workgroups and the keys of one at two, in spans, too', () => {
    for (const spans of [1, 8]) {
      const [twice, four] = [2, 4].map((windows) => {
        const shape = { ...shapeOf(1, pagesOf(windows)), spans }
        const tuning = defaultTuning(attention, shape, own.device.caps)
        return { groups: attention.dispatch(shape, tuning), cost: attention.cost(shape) }
      })
      expect(four).toEqual(twice)
    }
  })
})
