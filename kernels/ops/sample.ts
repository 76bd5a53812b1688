/** Penalties, filters and the draw of the next token, on the GPU; see sample.wgsl. */
import { defineKernel } from '../kernel.ts'
import { samplingRules } from '../lib/fragments.ts'
import { PAGE } from '../lib/kv-layout.ts'
import { reversedTable } from './qkv.ts'
import { choose, penalised, type SampleSettings } from './sample-oracle.ts'

/** `mode` picks the settings of a test; the kernel itself reads them from a buffer. */
export type SampleShape = {
  batch: number
  vocabulary: number
  /** Pages a sequence may have: the width of the page table. */
  pages: number
  mode: keyof typeof MODES
}
export type SampleTuning = { WG: number }

const PLAIN: SampleSettings = {
  temperature: 1,
  topP: 1,
  minP: 0,
  repetition: 1,
  presence: 0,
  frequency: 0,
  topK: 0,
  seed: 7,
}

const MODES = {
  greedy: { ...PLAIN, temperature: 0 },
  'greedy with penalties': {
    ...PLAIN,
    temperature: 0,
    repetition: 1.3,
    presence: 0.5,
    frequency: 0.25,
  },
  plain: PLAIN,
  hot: { ...PLAIN, temperature: 1.7, seed: 4000000000 },
  'top-k': { ...PLAIN, topK: 5 },
  'top-p': { ...PLAIN, topP: 0.4 },
  'min-p': { ...PLAIN, minP: 0.2 },
  all: {
    temperature: 0.7,
    topP: 0.9,
    minP: 0.02,
    repetition: 1.1,
    presence: 0.1,
    frequency: 0.1,
    topK: 50,
    seed: 99,
  },
} as const satisfies Record<string, SampleSettings>

/** Bytes of one `Settings` in sample.wgsl. */
export const SETTINGS_BYTES = 32

/** Writes settings as sample.wgsl reads them. */
export function packSettings(s: SampleSettings, into: ArrayBuffer, offset = 0): void {
  const floats = [s.temperature, s.topP, s.minP, s.repetition, s.presence, s.frequency]
  new Float32Array(into, offset, 6).set(floats)
  new Uint32Array(into, offset + 24, 2).set([s.topK, s.seed])
}

const shape = (mode: keyof typeof MODES, batch = 1, vocabulary = 300): SampleShape => ({
  batch,
  vocabulary,
  pages: 64,
  mode,
})

export const sample = defineKernel<SampleShape, SampleTuning>({
  name: 'sample',
  summary: 'next token: penalties, temperature, top-k, top-p, min-p, Gumbel-max draw',
  wgsl: new URL('./sample.wgsl', import.meta.url),
  uses: () => [samplingRules],
  consts: ({ vocabulary, pages }, { WG }) => ({ VOCABULARY: vocabulary, MAX_PAGES: pages, WG }),
  dispatch: ({ batch }) => [batch],
  tune: { WG: [256, 64] },
  valid: (_, { WG }, caps) => WG <= caps.maxInvocations,
  inputs({ batch, vocabulary, pages, mode }, random) {
    const settings = new ArrayBuffer(batch * SETTINGS_BYTES)
    const picks = new Uint32Array(batch * 4)
    const next = new Uint32Array(batch * 4)
    const counts = new Uint32Array(batch * vocabulary)
    for (let r = 0; r < batch; r++) {
      packSettings({ ...MODES[mode], seed: MODES[mode].seed + r }, settings, r * SETTINGS_BYTES)
      picks.set([batch - 1 - r, (r + 1) % batch, 0, 0], r * 4)
      next.set([random.below(vocabulary), random.below(1000), r % 2, 1], r * 4)
    }
    for (let i = 0; i < counts.length; i += 3) counts[i] = random.below(3) + (i % 2) * 0x80000000
    return {
      logits: random.floats(batch * vocabulary, 6),
      counts,
      picks,
      settings: new Uint32Array(settings),
      page_table: reversedTable(pages),
      next,
      ids: new Uint32Array(batch),
    }
  },
  oracle({ batch, vocabulary, pages, mode }, io) {
    for (let r = 0; r < batch; r++) {
      const [row, slot] = io.picks!.subarray(r * 4, r * 4 + 2) as Uint32Array
      const settings = { ...MODES[mode], seed: MODES[mode].seed + slot! }
      const position = io.next![row! * 4 + 1]!
      const values = Float64Array.from({ length: vocabulary }, (_, i) =>
        penalised(io.logits![r * vocabulary + i]!, io.counts![slot! * vocabulary + i]!, settings),
      )
      const choice = choose(values, settings, position)
      io.logits!.set(values, r * vocabulary)
      io.ids![r] = choice
      const sequence = io.next![row! * 4 + 2]!
      const page = io.page_table![sequence * pages + Math.floor((position + 1) / PAGE)]!
      io.next!.set(
        [choice, position + 1, sequence, page * PAGE + ((position + 1) % PAGE) + 1],
        row! * 4,
      )
      io.counts![slot! * vocabulary + choice]! += 1
    }
  },
  tolerance: 2e-6,
  cases: [
    shape('greedy'),
    shape('greedy with penalties', 3),
    shape('plain', 2),
    shape('hot'),
    shape('top-k', 2),
    shape('top-p', 2, 5000),
    shape('min-p'),
    shape('all', 3, 1000),
    shape('plain', 1, 1),
  ],
  bench: {
    'smollm2 greedy': shape('greedy', 1, 49152),
    'smollm2 top-k 50, top-p 0.9': shape('all', 1, 49152),
  },
  cost: ({ batch, vocabulary }) => ({
    bytes: 12 * batch * vocabulary,
    flops: 4 * batch * vocabulary,
  }),
})
