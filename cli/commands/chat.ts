/** `illuminator chat`: a conversation in the terminal. Answers go to stdout, prompts and notes to stderr. */
import { createInterface, type Interface } from 'node:readline'
import type { Command } from 'commander'
import type { ChatMessage, GenerateOptions } from '../../engine/api.ts'
import { EngineError } from '../../engine/errors.ts'
import { follow, statsLine } from '../answer.ts'
import { applyClientSettings } from '../client/effective.ts'
import { Interrupted } from '../exit.ts'
import { note, stderrColors, write } from '../io.ts'
import type { CliEngine } from '../open-engine.ts'
import {
  addLoading,
  addSampling,
  type LoadFlags,
  loadingFrom,
  modelName,
  type SamplingFlags,
  samplingFrom,
} from '../options.ts'
import { type Deps, withEngine } from '../session.ts'

interface Flags extends SamplingFlags, LoadFlags {
  systemMessage?: string
  verbose?: boolean
}

export function addChat(program: Command, deps: Deps): void {
  const command = program.command('chat').alias('interactive').description('talk with the model')
  addLoading(addSampling(command, undefined))
    .option('--system-message <text>', 'what the model is told before the conversation')
    .option('--verbose', 'counts and speed after each answer')
    .hook('preAction', (command) => applyClientSettings(command, deps.io.env))
    .action((flags: Flags) => chat(deps, flags))
}

async function chat(deps: Deps, flags: Flags): Promise<void> {
  const model = modelName(flags.model)
  await withEngine(deps, model, loadingFrom(flags), (engine, signal) =>
    converse(deps, engine, flags, signal),
  )
}

const HELP = [
  '/clear   forget the conversation',
  '/bye     leave (so does Ctrl-D)',
  '/help    this list',
  'Ctrl-C   stop the answer',
]

interface Conversation {
  engine: CliEngine
  options: GenerateOptions
  messages: ChatMessage[]
  /** Stops the answer under way; `null` between answers. */
  stop: AbortController | null
}

async function converse(
  deps: Deps,
  engine: CliEngine,
  flags: Flags,
  signal: AbortSignal,
): Promise<void> {
  const { io } = deps
  const interactive = io.stdin.isTTY === true
  const first = flags.systemMessage ? [{ role: 'system', content: flags.systemMessage }] : []
  const talk: Conversation = {
    engine,
    options: samplingFrom(flags),
    messages: [...first],
    stop: null,
  }
  const lines = createInterface({
    input: io.stdin,
    ...(interactive ? { output: io.stderr, terminal: true, prompt: '>>> ' } : {}),
  })
  listenForStop(deps, lines, talk, signal)
  if (interactive) {
    note(io, `${engine.info.id} on ${engine.stats.adapter.name}. /help lists the commands.`)
    lines.prompt()
  }
  for await (const line of lines) {
    const text = line.trim()
    if (text === '/bye') break
    if (text === '/clear') talk.messages = [...first]
    else if (text === '/help') for (const entry of HELP) note(io, entry)
    else if (text.startsWith('/')) note(io, `No command ${text}. ${HELP.join('; ')}`)
    else if (text) await answer(deps, talk, text, flags.verbose ?? false)
    if (signal.aborted) throw new Interrupted('interrupted')
    if (interactive) lines.prompt()
  }
  lines.close()
}

/** On a terminal Ctrl-C stops the answer, not the program; piped, a signal ends everything. */
function listenForStop(
  { io }: Deps,
  lines: Interface,
  talk: Conversation,
  signal: AbortSignal,
): void {
  lines.on('SIGINT', () => {
    if (talk.stop) talk.stop.abort()
    else {
      note(io, '\n(Ctrl-D or /bye leaves)')
      lines.prompt()
    }
  })
  const end = () => {
    talk.stop?.abort()
    lines.close()
  }
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
}

async function answer(
  { io }: Deps,
  talk: Conversation,
  text: string,
  verbose: boolean,
): Promise<void> {
  talk.messages.push({ role: 'user', content: text })
  talk.stop = new AbortController()
  const { signal } = talk.stop
  let said = ''
  try {
    const generation = talk.engine.chat([...talk.messages], { ...talk.options, signal })
    const answered = await follow(generation, async (piece) => {
      said += piece
      await write(io.stdout, piece)
    })
    await write(io.stdout, '\n')
    if (verbose) note(io, stderrColors(io).dim(statsLine(answered)))
  } catch (error) {
    if (!isRecoverable(error)) throw error
    if (said) await write(io.stdout, '\n')
    note(io, error.code === 'aborted' ? '(stopped)' : `${error.message} /clear starts anew.`)
  } finally {
    talk.stop = null
  }
  // What was said is part of the conversation even when it was stopped; a question without any answer is not.
  if (said) talk.messages.push({ role: 'assistant', content: said })
  else talk.messages.pop()
}

function isRecoverable(error: unknown): error is EngineError {
  const codes = ['aborted', 'context_length', 'bad_request', 'overloaded']
  return error instanceof EngineError && codes.includes(error.code)
}
