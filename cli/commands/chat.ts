/** `illuminator chat`: a conversation in the terminal, with a model here or on a server. Answers alone go to stdout. */
import type { Command } from 'commander'
import { addBackend, type BackendFlags, withBackend } from '../backend/open-backend.ts'
import { type addEngine, addSampling, type SamplingFlags } from '../options.ts'
import type { Deps } from '../session.ts'

export interface ChatFlags extends SamplingFlags, BackendFlags {
  systemMessage?: string
  stats?: boolean
  json?: boolean
}

export function addChat(program: Command, deps: Deps): void {
  const command = program.command('chat').alias('interactive').description('talk with the model')
  addChatOptions(command, deps).action((flags: ChatFlags) =>
    withBackend(deps, flags, async (backend, signal) => {
      const { converse } = await import('../repl/converse.ts')
      await converse(deps, backend, flags, signal)
    }),
  )
}

/** Adds what a conversation has, whatever begins it; `loading` as of `addBackend`. */
export function addChatOptions(command: Command, deps: Deps, loading?: typeof addEngine): Command {
  return addBackend(addSampling(command, undefined), deps, loading)
    .option('--system-message <text>', 'what the model is told before the conversation')
    .option('--stats', 'counts and speed on stderr after each answer')
    .option('--json', 'print each answer as a line of JSON with text, counts and timings')
}
