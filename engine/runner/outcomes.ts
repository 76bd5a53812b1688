/** What came back from the GPU, told run by run. */
import { DETAIL_WORDS } from '../../kernels/index.ts'
import type { Outcome, Run, Step } from '../schedule/step.ts'
import type { Batch } from './batch.ts'

/** Log-probabilities of a chosen token and of the most likely ones, before penalties, bias and temperature. */
export interface LogprobDetail {
  readonly logprob: number
  readonly top: readonly { readonly id: number; readonly logprob: number }[]
}

/** What a run brought, with what was asked about it. */
export interface RunOutcome extends Outcome {
  /** By pick, where log-probabilities were asked for. */
  readonly details: readonly LogprobDetail[] | null
  /** By pick, where logits were asked for. */
  readonly logits: readonly Float32Array[] | null
}

export interface ReadBack {
  /** [picks, DETAIL_WORDS] */
  readonly details: Uint32Array | null
  /** [picks, vocabulary] */
  readonly logits: Float32Array | null
  readonly vocabulary: number
}

export function outcomesOf(
  step: Step,
  batch: Batch,
  latest: Uint32Array,
  { details, logits, vocabulary }: ReadBack,
): RunOutcome[] {
  let first = 0
  return step.runs.map((run) => {
    const picks = Array.from({ length: run.picks }, (_, i) => first + i)
    first += run.picks
    const scored = run.request.options.score !== 'none'
    return {
      ids: scored ? [] : picks.map((_, i) => latest[batch.chosenAt(run.slot, i)]!),
      ...draftedBy(run, batch, latest),
      details: details && !scored ? picks.map((pick) => detailOf(details, pick)) : null,
      logits:
        logits && scored
          ? picks.map((pick) => logits.slice(pick * vocabulary, (pick + 1) * vocabulary))
          : null,
    }
  })
}

function draftedBy(
  { slot, drafts }: Run,
  batch: Batch,
  latest: Uint32Array,
): { drafts?: number[] } {
  if (drafts.ids) return {}
  return {
    drafts: Array.from({ length: drafts.count }, (_, i) => latest[batch.draftedAt(slot, i)]!),
  }
}

function detailOf(details: Uint32Array, pick: number): LogprobDetail {
  const words = details.subarray(pick * DETAIL_WORDS, (pick + 1) * DETAIL_WORDS)
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length)
  const top = Array.from({ length: words[1]! }, (_, i) => ({
    id: words[2 + i * 2]!,
    logprob: floats[3 + i * 2]!,
  }))
  return { logprob: floats[0]!, top }
}
