/** Counts tokens as generated, each in its sequence; see count-tokens.wgsl. */
import { defineKernel } from '../kernel.ts'

/** `batch` entries. */
export type CountTokensShape = { batch: number; vocabulary: number }

const IN_LATEST = 0x80000000
const SLOTS = 3

const shape = (batch: number, vocabulary: number): CountTokensShape => ({ batch, vocabulary })

export const countTokens = defineKernel<CountTokensShape, Record<never, number>>({
  name: 'count-tokens',
  summary: 'counts[slot, token] += 1',
  wgsl: new URL('./count-tokens.wgsl', import.meta.url),
  consts: ({ vocabulary }) => ({ VOCABULARY: vocabulary }),
  dispatch: ({ batch }) => [batch],
  tune: {},
  inputs({ batch, vocabulary }, random) {
    const latest = new Uint32Array(4).map(() => random.below(vocabulary))
    const entries = new Uint32Array(batch * 2)
    for (let i = 0; i < batch; i++) {
      // Every third is the one before once more, so that equal entries meet.
      const token = i % 2 === 0 ? random.below(vocabulary) : IN_LATEST + random.below(latest.length)
      entries.set([random.below(SLOTS), token], i * 2)
      if (i % 3 === 2) entries.copyWithin(i * 2, i * 2 - 2, i * 2)
    }
    const counts = new Uint32Array(SLOTS * vocabulary)
    return { entries, latest, counts: counts.map((_, i) => (i % 3) + (i % 2) * IN_LATEST) }
  },
  oracle({ batch, vocabulary }, { entries, latest, counts }) {
    for (let i = 0; i < batch; i++) {
      const [slot, code] = [entries![i * 2]!, entries![i * 2 + 1]!]
      const token = code < IN_LATEST ? code : latest![code - IN_LATEST]!
      counts![slot * vocabulary + token]! += 1
    }
  },
  // Whole numbers up to 2^31 + 2, compared relative to their size: half of the least that one may be off.
  tolerance: 1e-10,
  cases: [shape(1, 1), shape(1, 300), shape(7, 3), shape(64, 300), shape(300, 5000)],
  bench: {
    'smollm2 1 token': shape(1, 49152),
    'smollm2 64 tokens': shape(64, 49152),
  },
  cost: ({ batch }) => ({ bytes: 16 * batch, flops: batch }),
})
