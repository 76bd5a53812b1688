/** `illuminator batch PROMPTS --output FILE`: answers a file of prompts, and goes on where an earlier run ended. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Backend } from '../backend/backend.ts'
import { addBackend, type BackendFlags, withBackend } from '../backend/open-backend.ts'
import { BatchProgress } from '../batch/batch-progress.ts'
import { Pause } from '../batch/pause.ts'
import { type Prompt, readPrompts } from '../batch/prompts.ts'
import { ResultFile } from '../batch/result-file.ts'
import { lookAt, runBatch } from '../batch/run.ts'
import { duration } from '../duration.ts'
import { CommandError, Interrupted, UsageError } from '../exit.ts'
import { note, write } from '../io.ts'
import { addSampling, DEFAULTS, type SamplingFlags, samplingFrom, whole } from '../options.ts'
import type { Deps } from '../session.ts'

interface Flags extends SamplingFlags, BackendFlags {
  output: string
  workers: number
  batchSize: number
  retryFailed?: boolean
  chat?: boolean
  systemMessage?: string
  json?: boolean
}

/** What the engine can be loaded for. */
const MOST_AT_ONCE = 1024

export function addBatch(program: Command, deps: Deps): void {
  const command = program
    .command('batch')
    .description('answer a file of prompts')
    .argument(
      '<prompts>',
      'a prompt a line; .jsonl: an object of /generate’s parameters a line; "-": stdin',
    )
    .requiredOption('-o, --output <file>', 'JSON lines; those of an earlier run are kept')
    .option('--workers <n>', 'groups of prompts at once', whole(1, MOST_AT_ONCE), 1)
    .option('--batch-size <n>', 'prompts of a group', whole(1, MOST_AT_ONCE), 16)
    .option('--retry-failed', 'ask those prompts again that failed')
    .option('--chat', 'each prompt is what a user says, instead of a text to continue')
    .option('--system-message <text>', 'with --chat: what the model is told before')
    .option('--json', 'print one JSON object with counts and speed')
  addBackend(addSampling(command, DEFAULTS.maxTokens), deps).action(
    (prompts: string, flags: Flags) => {
      // What is configured for chats is none of a text's business.
      const isGiven = command.getOptionValueSource('systemMessage') === 'cli'
      if (!isGiven || flags.chat) return batch(deps, prompts, flags)
      throw new UsageError('--system-message is for chats: add --chat, or leave it out.')
    },
  )
}

async function batch(deps: Deps, path: string, flags: Flags): Promise<void> {
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
  flags: Flags,
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
  flags: Flags,
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

function asked(backend: Backend, prompt: Prompt, flags: Flags, signal: AbortSignal) {
  const options = { ...samplingFrom(flags), ...prompt.options, signal }
  if (!flags.chat) return backend.generate(prompt.text, options)
  const system = flags.systemMessage
  const messages = [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: prompt.text },
  ]
  return backend.chat(messages, options)
}

async function report({ io }: Deps, facts: BatchProgress['facts'], flags: Flags): Promise<void> {
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
