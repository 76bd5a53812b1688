/** Log-probabilities of chosen tokens and of the most likely ones, collected on the GPU; see logprobs.wgsl. */
import { type Arrays, defineKernel, type Random } from '../kernel.ts'
import { ranking } from '../lib/fragments.ts'
import { MOST_ALTERNATIVES } from '../sample-settings.ts'

export type LogprobsShape = { batch: number; vocabulary: number }
export type LogprobsTuning = { WG: number }

/** Words of one pick in `details`: those of the choice and of the most alternatives, rounded up. */
export const DETAIL_WORDS = 48

/** What the picks of a test ask for, in turn. */
const WANTED = [1 + MOST_ALTERNATIVES, 0, 1, 2, 6]

function inputs({ batch, vocabulary }: LogprobsShape, random: Random): Arrays {
  // Of few, none may hold nearly all the mass: f32 leaves little of a log-probability near 0.
  const scale = vocabulary < 100 ? 1 : 12
  const logits = random.floats(batch * vocabulary, scale)
  const picks = new Uint32Array(batch * 4)
  for (let p = 0; p < batch; p++) {
    picks.set([p + 5, 0, batch - p, 0], p * 4)
    const own = logits.subarray(p * vocabulary, (p + 1) * vocabulary)
    // Equals at the edge of what is wanted, equals at the top, nothing but equals, and the highest all in one lane.
    if (p % 5 === 0) for (let i = 0; i < vocabulary; i += 2) own[i] = scale + 0.5
    if (p % 3 === 1) for (let i = 1; i < vocabulary; i += 40) own[i] = scale + 1
    if (p % 7 === 5) own.fill(-2)
    if (p % 6 === 4) for (let i = 5; i < vocabulary; i += 64) own[i] = scale + 1 + i / vocabulary
  }
  return {
    logits,
    picks,
    wanted: Uint32Array.from({ length: batch }, (_, p) => WANTED[p % WANTED.length]!),
    latest: new Uint32Array(batch + 2).map(() => random.below(vocabulary)),
    details: new Uint32Array(batch * DETAIL_WORDS).map(() => random.u32()),
  }
}

const bitsOf = (value: number): number => new Uint32Array(new Float32Array([value]).buffer)[0]!

function oracle({ batch, vocabulary }: LogprobsShape, io: Arrays): void {
  const { logits, picks, wanted, latest, details } = io
  for (let p = 0; p < batch; p++) {
    if (wanted![p] === 0) continue
    const own = Float64Array.from(logits!.subarray(p * vocabulary, (p + 1) * vocabulary))
    const top = own.reduce((a, b) => Math.max(a, b))
    const rest = Math.log(own.reduce((sum, v) => sum + Math.exp(v - top), 0))
    const bits = (token: number): number => bitsOf(own[token]! - top - rest)
    const order = Array.from(own, (_, token) => token).sort((a, b) => own[b]! - own[a]! || a - b)
    const first = order.slice(0, wanted![p]! - 1)
    const words = [bits(latest![picks![p * 4 + 2]!]!), first.length]
    details!.set([...words, ...first.flatMap((token) => [token, bits(token)])], p * DETAIL_WORDS)
  }
}

const shape = (batch: number, vocabulary: number): LogprobsShape => ({ batch, vocabulary })

export const logprobs = defineKernel<LogprobsShape, LogprobsTuning>({
  name: 'logprobs',
  summary: 'log softmax of the chosen token, and of the n most likely',
  wgsl: new URL('./logprobs.wgsl', import.meta.url),
  uses: () => [ranking],
  consts: ({ vocabulary }, { WG }) => ({
    VOCABULARY: vocabulary,
    DETAIL_WORDS,
    MOST_ALTERNATIVES,
    WG,
  }),
  dispatch: ({ batch }) => [batch],
  tune: { WG: [256, 64] },
  valid: (_, { WG }, caps) => WG <= caps.maxInvocations,
  inputs,
  oracle,
  // Of the bits of f32, as whole numbers: about 600 of the smallest steps.
  tolerance: 2e-7,
  cases: [shape(1, 1), shape(7, 3), shape(1, 300), shape(40, 300), shape(15, 5000)],
  bench: { 'smollm2 20 alternatives': shape(1, 49152) },
  cost: ({ batch, vocabulary }) => ({
    bytes: 4 * batch * vocabulary,
    flops: 4 * batch * vocabulary,
  }),
})
