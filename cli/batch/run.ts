/** Asks all prompts, some at once, and hands on what became of each as soon as it is known. */
import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Usage } from '../../engine/api.ts'
import type { Backend, Piece } from '../backend/backend.ts'
import { ServerError } from '../backend/server-error.ts'
import type { Pause } from './pause.ts'
import type { Prompt } from './prompts.ts'
import type { ResultLine } from './result-line.ts'
import { troubleOf } from './trouble.ts'

export interface RunOptions {
  readonly prompts: readonly Prompt[]
  /** Prompts asked at once. */
  readonly width: number
  readonly ask: (prompt: Prompt, signal: AbortSignal) => AsyncIterable<Piece>
  /** What answers; asked after an answer, since a server says it with that. */
  readonly model: () => string | null
  readonly pause: Pause
  /** Tries of a prompt after the first, where the connection fails. */
  readonly maxRetries: number
  readonly retryMs: number
  /** Takes what became of a prompt. */
  readonly record: (result: ResultLine) => Promise<void>
  /** Hears of each piece of text, and of the true count at the end of an answer: so many more or fewer. */
  readonly onTokens: (count: number) => void
  readonly signal: AbortSignal
}

/**
 * Resolves when every prompt has a result.
 * @throws what makes it senseless to go on, or what the signal ended; what was recorded is recorded
 */
export async function runBatch(options: RunOptions): Promise<void> {
  const over = new AbortController()
  const signal = AbortSignal.any([options.signal, over.signal])
  // Every prompt that is asked listens to it: no leak.
  setMaxListeners(0, signal)
  const queue = options.prompts.values()
  const errors: unknown[] = []
  const lane = async () => {
    try {
      for (const prompt of queue) {
        const result = await answer(prompt, options, signal)
        await options.record(result)
        if (signal.aborted) return
      }
    } catch (error) {
      errors.push(error)
      over.abort()
    }
  }
  const width = Math.min(options.width, options.prompts.length)
  await Promise.all(Array.from({ length: width }, lane))
  options.signal.throwIfAborted()
  // The others only ended because of the first.
  if (errors.length > 0) throw errors[0]
}

/**
 * Finds out about what answers, once it has time for that.
 * @throws ServerError at once where an address, a key or a model is wrong
 */
export async function lookAt(backend: Backend, pause: Pause, signal: AbortSignal): Promise<void> {
  for (;;) {
    await pause.over(signal)
    try {
      return await backend.look(signal)
    } catch (error) {
      const trouble = troubleOf(error)
      const isBusy =
        trouble.kind === 'busy' && error instanceof ServerError && error.status !== null
      if (!isBusy) throw error
      pause.begin(trouble.waitMs, error)
    }
  }
}

async function answer(
  prompt: Prompt,
  options: RunOptions,
  signal: AbortSignal,
): Promise<ResultLine> {
  const { pause, maxRetries, retryMs } = options
  for (let failures = 0; ; ) {
    await pause.over(signal)
    try {
      const result = await once(prompt, options, signal)
      pause.passed()
      return result
    } catch (error) {
      signal.throwIfAborted()
      const trouble = troubleOf(error)
      if (trouble.kind === 'over') throw error
      if (trouble.kind === 'busy') {
        pause.begin(trouble.waitMs, error)
        continue
      }
      if (trouble.kind === 'flaky' && failures < maxRetries) {
        await sleep(retryMs * 2 ** failures++, undefined, { signal })
        continue
      }
      const { index, text } = prompt
      const code = trouble.kind === 'failed' ? trouble.code : 'connection'
      const message = error instanceof Error ? error.message : String(error)
      return { index, status: 'failed', prompt: text, error: message, code }
    }
  }
}

async function once(
  prompt: Prompt,
  { ask, model, onTokens }: RunOptions,
  signal: AbortSignal,
): Promise<ResultLine> {
  const started = performance.now()
  let text = ''
  let told = 0
  let usage: Usage | null = null
  let finishReason: Piece['finishReason'] = null
  try {
    for await (const piece of ask(prompt, signal)) {
      text += piece.text
      if (piece.text !== '') {
        told++
        onTokens(1)
      }
      usage = piece.usage ?? usage
      finishReason = piece.finishReason ?? finishReason
    }
  } catch (error) {
    // What was counted of it is not part of any result.
    onTokens(-told)
    throw error
  }
  onTokens((usage?.completionTokens ?? told) - told)
  return {
    index: prompt.index,
    status: 'completed',
    prompt: prompt.text,
    generated_text: prompt.returnFullText ? prompt.text + text : text,
    tokens_generated: usage?.completionTokens ?? null,
    generation_time: Math.round(performance.now() - started) / 1000,
    finish_reason: finishReason,
    model_version: model(),
    usage: usage && {
      prompt_tokens: usage.promptTokens,
      completion_tokens: usage.completionTokens,
      total_tokens: usage.totalTokens,
    },
  }
}
