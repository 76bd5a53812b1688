/** Which tuning is taken: a kept one where it still fits, else the sound default. */
import { expect, it } from 'vitest'
import { CAPABILITY_SETS, type Capabilities } from './gpu/capabilities.ts'
import { kernels } from './index.ts'
import type { Forms } from './kernel.ts'
import type { MatmulTuning } from './lib/matmul.ts'
import { formsOf, type KeptTuning, Tunings, tuningKey, versionOf } from './tuned.ts'

const caps = CAPABILITY_SETS['subgroups of 8 and f16'] as Capabilities
const { linear } = kernels
const shape = linear.bench['smollm2 q4 down decode']!
const key = tuningKey(linear, shape)
const forms = formsOf(linear, shape)
const sound = new Tunings(caps).of(linear, shape)
const wide: MatmulTuning = { LANES: 32, TILE_ROWS: 1, QUADS: 1, SPLIT: 1, SHUFFLE: 1, TURNS: 0 }
const tiled: MatmulTuning = { ...wide, TILE_ROWS: 8 }
const versions = {
  one: versionOf(linear, forms.one, wide, caps),
  several: versionOf(linear, forms.several, tiled, caps),
  many: versionOf(linear, forms.many, tiled, caps),
}

const found = { one: wide, several: tiled, many: tiled, versions }

const taken = (kept: KeptTuning): Forms<MatmulTuning> =>
  new Tunings(caps, new Map([[key, kept]])).of(linear, shape)

it('takes what was kept for the kernel and shape, wherever the step, the part and the table stand', () => {
  expect(taken(found)).toEqual({ one: wide, several: tiled, many: tiled })
  const tunings = new Tunings(caps, new Map([[key, found]]))
  expect(tunings.of(linear, { ...shape, batch: 5, start: 32, total: 9999 }).one).toEqual(wide)
  expect(tunings.of(linear, { ...shape, rows: 64 })).toEqual(sound)
  expect([...tunings.asked.values()].map(({ isKept }) => isKept)).toEqual([true, false])
})

it.each<[string, KeptTuning]>([
  ['the kernel has changed', { ...found, versions: { ...versions, many: 'x' } }],
  ['it is no declared tuning', { ...found, one: { ...wide, LANES: 5 } }],
  ['the device cannot run it', { ...found, one: { ...wide, SPLIT: 16 } }],
  [
    'the forms would sum in different orders',
    {
      ...found,
      several: { LANES: 32, TILE_ROWS: 1, QUADS: 1, SPLIT: 4, SHUFFLE: 0, TURNS: 0 },
      versions: {
        ...versions,
        several: versionOf(
          linear,
          forms.several,
          { LANES: 32, TILE_ROWS: 1, QUADS: 1, SPLIT: 4, SHUFFLE: 0, TURNS: 0 },
          caps,
        ),
      },
    },
  ],
])('takes the sound default when %s', (_, kept) => {
  expect(taken(kept)).toEqual(sound)
})

it('tells versions apart by their WGSL and not by the numbers compiled in', () => {
  const other = { ...forms.one, columns: 64, rows: 96 }
  expect(versionOf(linear, other, wide, caps)).toBe(versions.one)
  expect(versionOf(linear, forms.one, { ...wide, SHUFFLE: 0 }, caps)).not.toBe(versions.one)
})
