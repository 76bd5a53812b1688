/** A file of prompts answered into a file of results, going on where an earlier run ended. */
import { resolve } from 'node:path'
import type { Backend } from '../backend/backend.ts'
import { withBackend } from '../backend/open-backend.ts'
import { duration } from '../duration.ts'
import { CommandError, Interrupted, UsageError } from '../exit.ts'
import { note, write } from '../io.ts'
import { samplingFrom } from '../options.ts'
import type { Deps } from '../session.ts'
import { type BatchFlags, MOST_AT_ONCE } from './batch-flags.ts'
import { BatchProgress } from './batch-progress.ts'
import { Pause } from './pause.ts'
import { type Prompt, readPrompts } from './prompts.ts'
import { ResultFile } from './result-file.ts'
import { lookAt, runBatch } from './run.ts'

/** @throws UsageError; CommandError where prompts failed, or another run writes to the same file */
export async function answerFile(deps: Deps, path: string, flags: BatchFlags): Promise<void> {
  const { io, parts } = deps
  const width = flags.workers * flags.batchSize
  if (width > MOST_AT_ONCE) {
    throw new UsageError(
      `--workers ${flags.workers} times --batch-size ${flags.batchSize} is ${width} prompts at once; at most ${MOST_AT_ONCE} can be.`,
    )
  }
  const prompts = await readPrompts(
    path,
    io.stdin,
    async () => (await parts.server()).readPromptLine,
  )
  const release = await holdOutput(flags.output)
  try {
    const results = await ResultFile.open(flags.output, prompts, {
      dropFailed: flags.retryFailed ?? false,
      tell: (line) => note(io, line),
    })
    try {
      await answerAll(deps, prompts, results, width, flags)
    } finally {
      await results.close()
    }
  } finally {
    await release()
  }
}

/** Two that write to one file would answer everything twice. */
async function holdOutput(output: string): Promise<() => Promise<void>> {
  const lock = `${resolve(output)}.lock`
  const { tryLock } = await import('../../engine/hub/index.ts')
  const release = await tryLock(lock).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    throw new UsageError(`The results cannot be written to ${output}: ${why}`)
  })
  if (typeof release === 'function') return release
  throw new CommandError(
    `Another run (process ${release}) writes to ${output}. If there is none, remove ${lock}.`,
  )
}

async function answerAll(
  deps: Deps,
  prompts: readonly Prompt[],
  results: ResultFile,
  width: number,
  flags: BatchFlags,
): Promise<void> {
  const { io } = deps
  const { answered, failed } = results
  const progress = new BatchProgress(io, prompts.length, answered, failed)
  const pending = prompts.filter(({ index }) => !results.has(index))
  if (answered > 0) note(io, `${answered} of ${prompts.length} prompts are answered already.`)
  try {
    if (pending.length > 0) await ask(deps, pending, results, progress, width, flags)
  } catch (error) {
    progress.stop()
    if (error instanceof UsageError) throw error
    note(
      io,
      `${results.answered} of ${prompts.length} prompts are answered; the same command goes on.`,
    )
    throw error
  }
  progress.stop()
  await results.order()
  await report(deps, progress.facts, flags)
}

function ask(
  deps: Deps,
  prompts: readonly Prompt[],
  results: ResultFile,
  progress: BatchProgress,
  width: number,
  flags: BatchFlags,
): Promise<void> {
  const isLocal = flags.url === undefined || flags.local
  const sequences = Math.min(width, prompts.length)
  // A server that is busy is waited for here, by all together.
  const opening = isLocal ? { maxSequences: sequences, ...flags } : { ...flags, maxRetries: 0 }
  return withBackend(deps, opening, async (backend, signal) => {
    const retryMs = flags.retryDelay * 1000
    const pause = new Pause({ firstMs: retryMs, onWait: (ms) => progress.waiting(ms) })
    await lookAt(backend, pause, signal)
    progress.start()
    await runBatch({
      prompts,
      width,
      ask: (prompt, either) => asked(backend, prompt, flags, either),
      model: () => backend.model,
      pause,
      maxRetries: flags.maxRetries,
      retryMs,
      async record(result) {
        await results.add(result)
        progress.answered(result.status === 'failed')
      },
      onTokens: (count) => progress.tokens(count),
      signal,
    })
    if (signal.aborted) throw new Interrupted('interrupted')
  })
}

function asked(backend: Backend, prompt: Prompt, flags: BatchFlags, signal: AbortSignal) {
  const options = { ...samplingFrom(flags), ...prompt.options, signal }
  if (!flags.chat) return backend.generate(prompt.text, options)
  const system = flags.systemMessage
  const messages = [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: prompt.text },
  ]
  return backend.chat(messages, options)
}

async function report(
  { io }: Deps,
  facts: BatchProgress['facts'],
  flags: BatchFlags,
): Promise<void> {
  const { total, completed, failed, answered_now: now, tokens_generated: tokens, seconds } = facts
  if (flags.json) await write(io.stdout, `${JSON.stringify({ output: flags.output, ...facts })}\n`)
  const rate = facts.tokens_per_second?.toFixed(1)
  const speed = now > 0 ? ` · ${tokens} tokens in ${duration(seconds)} · ${rate} tokens/s` : ''
  note(io, `${completed} of ${total} prompts answered${speed} · ${flags.output}`)
  if (failed === 0) return
  throw new CommandError(
    `${failed} of ${total} prompts failed: their lines say why, and --retry-failed asks them again.`,
  )
}
