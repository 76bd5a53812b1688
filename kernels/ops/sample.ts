/** Penalties, bias, mask, filters and the draw of the next token, on the GPU; see sample.wgsl. */
import { type Arrays, defineKernel, type Random } from '../kernel.ts'
import { ranking, samplingRules } from '../lib/fragments.ts'
import { PLAIN, type SampleSettings } from '../sample-settings.ts'
import { chooseToken, isPenalised, seenLogit } from './sample-oracle.ts'

/** `mode` picks the settings of a test; the kernel itself reads them from a buffer. */
export type SampleShape = { batch: number; vocabulary: number; mode: Mode | 'each its own' }
export type SampleTuning = { WG: number }

/** Most drafted tokens before a pick. */
export const MOST_DRAFTS = 16

const SEEDED: SampleSettings = { ...PLAIN, seed: 7 }
const PENALTIES = { repetition: 1.3, presence: 0.5, frequency: 0.25 }
const GREEDY: SampleSettings = { ...SEEDED, temperature: 0 }
const USUAL: SampleSettings = { ...SEEDED, temperature: 0.7, topK: 50, topP: 0.9, seed: 99 }

const MODES = {
  greedy: GREEDY,
  'greedy with penalties': { ...GREEDY, ...PENALTIES },
  'greedy with all': { ...GREEDY, ...PENALTIES, biased: true, masked: true },
  plain: SEEDED,
  hot: { ...SEEDED, temperature: 1.7, seed: 4000000000 },
  penalties: { ...SEEDED, ...PENALTIES },
  bias: { ...SEEDED, biased: true },
  mask: { ...SEEDED, masked: true },
  'nothing allowed': { ...SEEDED, masked: true, topK: 5, topP: 0.9, minP: 0.1, typicalP: 0.9 },
  'few allowed': { ...SEEDED, masked: true, topK: 5, topP: 0.95 },
  'top-k': { ...SEEDED, topK: 5 },
  'top-p': { ...SEEDED, topP: 0.4 },
  'min-p': { ...SEEDED, minP: 0.2 },
  'typical-p': { ...SEEDED, typicalP: 0.3 },
  'wide top-k': { ...SEEDED, topK: 1000, topP: 0.9999999 },
  'top-p, min-p': { ...SEEDED, topP: 0.7, minP: 0.15 },
  'top-k, typical-p': { ...SEEDED, temperature: 3, topK: 20, typicalP: 0.95, seed: 1 },
  'all but one': { ...SEEDED, topP: 1e-12, seed: 3 },
  usual: USUAL,
  'crowded lane': USUAL,
  all: {
    ...USUAL,
    ...PENALTIES,
    minP: 0.02,
    typicalP: 0.8,
    biased: true,
    masked: true,
  },
} as const satisfies Record<string, SampleSettings>

type Mode = keyof typeof MODES

/** Bytes of one `Settings` in sampling.wgsl. */
export const SETTINGS_BYTES = 48

/** Writes settings as sampling.wgsl reads them. */
export function packSettings(s: SampleSettings, into: ArrayBuffer, offset = 0): void {
  const flags = (isPenalised(s) ? 1 : 0) | (s.biased ? 2 : 0) | (s.masked ? 4 : 0)
  const penalties = [s.repetition, s.presence, s.frequency]
  new Float32Array(into, offset, 7).set([s.temperature, s.topP, s.minP, s.typicalP, ...penalties])
  new Uint32Array(into, offset + 28, 5).set([s.topK, s.seed, flags, 0, 0])
}

const maskWords = (vocabulary: number): number => Math.ceil(vocabulary / 32)

/** Picks of one sequence: the first after its own token, the others after one more drafted token each. */
const RUN = 3
/** Rows of a step before the first that is picked. */
const SILENT = 2
const IN_LATEST = 0x80000000

const slotsOf = (batch: number): number => Math.ceil(batch / RUN)

function modeOf(mode: SampleShape['mode'], slot: number): Mode {
  if (mode !== 'each its own') return mode
  const all = Object.keys(MODES) as Mode[]
  return all[slot % all.length]!
}

const settingsOf = (mode: SampleShape['mode'], slot: number): SampleSettings => ({
  ...MODES[modeOf(mode, slot)],
  seed: MODES[modeOf(mode, slot)].seed + slot,
})

/**
 * Rows, picks and logits in which the drafted tokens of a run are the likeliest ones, so that it matters whether they
 * count as generated. `latest` begins with a token a slot, to which rows point; choices go behind, in reverse.
 */
function runs({ batch, vocabulary, mode }: SampleShape, random: Random): Arrays {
  const slots = slotsOf(batch)
  const logits = random.floats(batch * vocabulary, 6)
  if (mode === 'crowded lane') for (let i = 5; i < logits.length; i += 64) logits[i]! += 7
  const rows = new Uint32Array((batch + SILENT) * 4).map(() => random.below(vocabulary))
  const picks = new Uint32Array(batch * 4)
  const latest = new Uint32Array(slots + batch + 1).map(() => random.below(vocabulary))
  // Some of them in one lane with the other likely token.
  for (let s = 0; s < slots; s += 2) latest[s] = (s * 7 + 3 + 256) % vocabulary
  for (let p = 0; p < batch; p++) {
    const slot = slots - 1 - Math.floor(p / RUN)
    const run = p % RUN
    const likely = [(slot * 7 + 3) % vocabulary, latest[slot]!]
    for (const token of likely) logits[p * vocabulary + token] = 7
    const code = run < 2 ? likely[0]! : IN_LATEST + slot
    rows.set([code, slot * 100 + run, slot, p + 1], (p + SILENT) * 4)
    picks.set([p + SILENT, slot, slots + batch - 1 - p, run], p * 4)
  }
  return { logits, rows, picks, latest }
}

function inputs(shape: SampleShape, random: Random): Arrays {
  const { batch, vocabulary, mode } = shape
  const slots = slotsOf(batch)
  const { logits, rows, picks, latest } = runs(shape, random)
  const settings = new ArrayBuffer(slots * SETTINGS_BYTES)
  const counts = new Uint32Array(slots * vocabulary)
  for (let i = 0; i < counts.length; i += 3) counts[i] = random.below(3) + (i % 2) * IN_LATEST
  const words = maskWords(vocabulary)
  const mask = new Uint32Array(slots * words).map(() => random.u32())
  for (let slot = 0; slot < slots; slot++) {
    packSettings(settingsOf(mode, slot), settings, slot * SETTINGS_BYTES)
    const name = modeOf(mode, slot)
    if (name.endsWith('allowed')) mask.fill(0, slot * words, (slot + 1) * words)
    if (name === 'few allowed') mask[slot * words] = 0x111
  }
  return {
    logits: logits!,
    counts,
    bias: random.floats(slots * vocabulary, 3),
    mask,
    rows: rows!,
    picks: picks!,
    settings: new Uint32Array(settings),
    latest: latest!,
  }
}

function oracle({ batch, vocabulary, mode }: SampleShape, io: Arrays): void {
  const before = io.latest!.slice()
  for (let p = 0; p < batch; p++) {
    const [row, slot, out, run] = [...io.picks!.subarray(p * 4)] as [number, number, number, number]
    const settings = settingsOf(mode, slot)
    const counts = io.counts!.slice(slot * vocabulary, (slot + 1) * vocabulary)
    for (let back = 0; back < run; back++) {
      const code = io.rows![(row - back) * 4]!
      counts[code < IN_LATEST ? code : before[code - IN_LATEST]!]! += 1
    }
    const values = Float64Array.from({ length: vocabulary }, (_, i) => {
      const word = io.mask![slot * maskWords(vocabulary) + (i >>> 5)]!
      return seenLogit(
        {
          logit: io.logits![p * vocabulary + i]!,
          count: counts[i]!,
          bias: io.bias![slot * vocabulary + i]!,
          allowed: ((word >>> (i & 31)) & 1) === 1,
        },
        settings,
      )
    })
    io.latest![out] = chooseToken(values, settings, io.rows![row * 4 + 1]!)
  }
}

const shape = (mode: SampleShape['mode'], batch = 1, vocabulary = 300): SampleShape => ({
  batch,
  vocabulary,
  mode,
})

export const sample = defineKernel<SampleShape, SampleTuning>({
  name: 'sample',
  summary:
    'next token: penalties, bias, mask, temperature, top-k, top-p, min-p, typical-p, Gumbel-max',
  wgsl: new URL('./sample.wgsl', import.meta.url),
  uses: () => [samplingRules, ranking],
  consts: ({ vocabulary }, { WG }) => ({
    VOCABULARY: vocabulary,
    MASK_WORDS: maskWords(vocabulary),
    DRAFTS: MOST_DRAFTS,
    WG,
  }),
  dispatch: ({ batch }) => [batch],
  tune: { WG: [256, 64] },
  valid: (_, { WG }, caps) => WG <= caps.maxInvocations,
  inputs,
  oracle,
  tolerance: 2e-6,
  cases: [
    ...(Object.keys(MODES) as Mode[]).map((mode) => shape(mode, 12)),
    shape('each its own', RUN * Object.keys(MODES).length),
    shape('each its own', RUN * Object.keys(MODES).length, 33),
    shape('each its own', RUN * Object.keys(MODES).length, 1),
    shape('wide top-k', 12, 5000),
    shape('top-p', 12, 5000),
    shape('typical-p', 12, 5000),
    shape('crowded lane', 12, 5000),
    shape('all', 12, 5000),
  ],
  bench: {
    'smollm2 greedy': shape('greedy', 1, 49152),
    'smollm2 top-k 50, top-p 0.9': shape('usual', 1, 49152),
    'smollm2 8 picks, top-k 50, top-p 0.9': shape('usual', 8, 49152),
    'smollm2 all rules': shape('all', 1, 49152),
  },
  cost: ({ batch, vocabulary }) => ({
    bytes: 4 * batch * vocabulary,
    flops: 4 * batch * vocabulary,
  }),
})
