/** A KV cache begins with whatever its memory held: attention reads no token of it that was not written. */
import { describe, expect, test } from 'vitest'
import { Plan } from './gpu/plan.ts'
import { knownCase } from './known-case.ts'
import { isKvPadded, type KvPlace, PAGE, readHead, writeHead } from './lib/kv-layout.ts'
import { type AttentionShape, attention } from './ops/attention.ts'
import { prepare, readBack } from './oracle.ts'
import { ownDevice } from './testing.ts'
import { defaultTuning } from './tune.ts'

/** Two sequences, of which the second ends inside a page and pages before the end of its table. */
const shapeOf = (kv: AttentionShape['kv'], tileRows: number, spans: number): AttentionShape => ({
  ...{ batch: 2 * tileRows, tiles: 2, tileRows, heads: 4, kvHeads: 2, headDim: 32, scale: 0.2 },
  ...{ kv, pages: 40, spans, window: 0, cap: 0, sinks: 0 },
})
/** No number, as f32 and as f16; of int8 the scales are none. */
const NOT_A_NUMBER = 0x7fc07fc0

/** Places of all tokens that the rows see. */
function written(
  { tiles, kvHeads, pages }: AttentionShape,
  rows: Uint32Array,
  runs: Uint32Array,
  table: Uint32Array,
): KvPlace[] {
  const places: KvPlace[] = []
  for (let tile = 0; tile < tiles; tile++) {
    const [first, count, slot] = runs.subarray(tile * 4) as unknown as [number, number, number]
    const last = rows[(first + count - 1) * 4 + 1] as number
    for (let at = 0; at <= last; at++) {
      const page = table[slot * pages + Math.floor(at / PAGE)] as number
      for (let head = 0; head < kvHeads; head++)
        for (const part of [0, 1] as const) places.push({ page, token: at % PAGE, part, head })
    }
  }
  return places
}

describe.each([
  { title: 'all features', without: [] },
  { title: 'no subgroups', without: ['subgroups'] },
] as const)('with $title', ({ without }) => {
  const own = ownDevice(without)

  test.for([
    ['f16', 1, 1],
    ['f16', 8, 1],
    ['f32', 8, 3],
    ['int8', 1, 3],
    ['int8', 8, 1],
  ] as const)('keys and values of %s, tiles of %i, %i spans apart', async (of, { skip }) => {
    const isSlow = own.device.driver === 'lavapipe' && !own.device.caps.subgroups
    skip(isSlow, 'lavapipe compiles attention without subgroups for half a minute a variant')
    const [kv, tileRows, spans] = of
    const shape = shapeOf(kv, tileRows, spans)
    expect(isKvPadded(shape)).toBe(false)
    const tuning = defaultTuning(attention, shape, own.device.caps)
    const known = knownCase(attention, shape, 3)
    const prepared = await prepare(own.device, own.pipelines, attention, shape, tuning, known)
    const { rows, tiles, page_table, kv_cache, y, partials } = known.io as Record<
      string,
      Uint32Array
    >
    const places = written(shape, rows!, tiles!, page_table!)
    const { buffers, dispatch } = prepared
    try {
      const over = async (word: number): Promise<Uint32Array[]> => {
        const cache = new Uint32Array(kv_cache!.length).fill(word)
        for (const place of places) {
          writeHead(shape, cache, place, readHead(shape, kv_cache!, place))
        }
        own.device.memory.write(buffers.kv_cache!, 0, cache)
        new Plan(own.device, [dispatch]).run(1)
        const read = async (name: string, { byteLength }: Uint32Array): Promise<Uint32Array> =>
          new Uint32Array(await readBack(own.device, buffers[name]!, byteLength))
        return [await read('y', y!), await read('partials', partials!)]
      }
      const clean = await over(0)
      expect(clean[shape.spans > 1 ? 1 : 0]!.some((word) => word !== 0)).toBe(true)
      expect(await over(NOT_A_NUMBER)).toEqual(clean)
    } finally {
      prepared.release()
    }
  })
})
