/** `illuminator run MODEL [question]`: as people know it from Ollama, a chat or one question answered. */
import { type Command, Option } from 'commander'
import { answerReport, follow, statsLine } from '../answer.ts'
import type { Backend } from '../backend/backend.ts'
import { withBackend } from '../backend/open-backend.ts'
import { UsageError } from '../exit.ts'
import { note, readAll, stderrColors, write } from '../io.ts'
import { addEngine, samplingFrom } from '../options.ts'
import type { Deps } from '../session.ts'
import { addChatOptions, type ChatFlags } from './chat.ts'

interface Flags extends ChatFlags {
  /** Ollama's name of `--stats`. */
  verbose?: boolean
}

export function addRun(program: Command, deps: Deps): void {
  const command = program
    .command('run')
    .description('chat with this model, or have it answer one question')
    .argument('<model>', 'folder or id')
    .argument('[question...]', 'words of the question; "-" puts stdin in its place')
  addChatOptions(command, deps, addEngine)
    .addOption(new Option('--verbose').hideHelp())
    .action((model: string, words: string[], flags: Flags) => runModel(deps, model, words, flags))
}

async function runModel(deps: Deps, model: string, words: string[], given: Flags): Promise<void> {
  const flags = { ...given, model, stats: given.stats ?? given.verbose ?? false }
  const question = await questionOf(deps, words)
  await withBackend(deps, flags, async (backend, signal) => {
    if (question !== null) return answerOne(deps, backend, flags, question, signal)
    const { converse } = await import('../repl/converse.ts')
    return converse(deps, backend, flags, signal)
  })
}

async function answerOne(
  { io }: Deps,
  backend: Backend,
  flags: ChatFlags,
  question: string,
  signal: AbortSignal,
): Promise<void> {
  const options = { ...samplingFrom(flags), signal }
  const system = flags.systemMessage ? [{ role: 'system', content: flags.systemMessage }] : []
  const messages = [...system, { role: 'user', content: question }]
  const answered = await follow(backend.chat(messages, options), (piece) =>
    flags.json ? undefined : write(io.stdout, piece),
  )
  const whole = flags.json ? JSON.stringify(answerReport(backend.model, answered, options)) : ''
  await write(io.stdout, `${whole}\n`)
  if (flags.stats) note(io, stderrColors(io).dim(statsLine(answered)))
}

/** The words, stdin where a "-" says so, or where there are none and it is no terminal; null is a chat. */
async function questionOf({ io }: Deps, words: string[]): Promise<string | null> {
  if (words.length === 0 && io.stdin.isTTY) return null
  const asked = words.length === 0 ? ['-'] : words
  const piped = asked.includes('-') ? await readAll(io.stdin) : ''
  const text = asked.map((word) => (word === '-' ? piped : word)).join(' ')
  if (text.trim() !== '') return text
  throw new UsageError('The question is empty; give one, or pipe one in.')
}
