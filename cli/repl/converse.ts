/** The loop of a chat: a message is read, run as a command or answered, until one of both sides has enough. */
import { join } from 'node:path'
import type { Backend } from '../backend/backend.ts'
import { CommandError, Interrupted } from '../exit.ts'
import { note } from '../io.ts'
import type { Deps } from '../session.ts'
import { History } from './history.ts'
import { LineInput } from './line-input.ts'
import { completions, runSlashCommand } from './slash-commands.ts'
import { Talk, type TalkFlags } from './talk.ts'

/**
 * Talks until the input ends.
 * @param signal ends everything
 * @throws Interrupted; CommandError where the input was a pipe and a question got no answer
 */
export async function converse(
  deps: Deps,
  backend: Backend,
  flags: TalkFlags,
  signal: AbortSignal,
): Promise<void> {
  const { io } = deps
  await backend.look(signal)
  const talk = new Talk(backend, io, flags)
  const history = new History(io.stdin.isTTY ? await historyFile(deps) : null, (line) =>
    note(io, line),
  )
  const input = new LineInput(io, { history, complete: completions, stop: () => talk.stop() })
  const end = () => {
    talk.stop()
    input.close()
  }
  signal.addEventListener('abort', end, { once: true })
  try {
    if (signal.aborted) throw new Interrupted('interrupted')
    if (input.isInteractive) greet(deps, backend)
    await turns(talk, input, signal)
  } finally {
    signal.removeEventListener('abort', end)
    input.close()
  }
  // Somebody who watches has seen it; a script has to be told.
  if (!input.isInteractive && talk.failures > 0) {
    throw new CommandError(`${talk.failures} of the questions got no whole answer; see above.`)
  }
}

async function turns(talk: Talk, input: LineInput, signal: AbortSignal): Promise<void> {
  for (let message = await input.read(); message; message = await input.read()) {
    const { text, mayBeCommand } = message
    const done = await input.whileAnswering(async () => {
      const outcome = mayBeCommand ? await runSlashCommand(talk, text) : 'message'
      if (outcome === 'message' && text.trim() !== '') await talk.ask(text.trim())
      return outcome
    })
    if (signal.aborted) throw new Interrupted('interrupted')
    if (done === 'leave') return
  }
  if (signal.aborted) throw new Interrupted('interrupted')
}

function greet({ io }: Deps, backend: Backend): void {
  const model = backend.model ?? 'The server’s usual model'
  note(io, `${model} on ${backend.place}. /help lists the commands.`)
}

/** In the data folder; a server that keeps nothing has none, and then nor does this. */
async function historyFile({ io, parts }: Deps): Promise<string | null> {
  const { defaultDataFolder } = await parts.start()
  const folder = defaultDataFolder(io.env)
  return folder === ':memory:' ? null : join(folder, 'chat-history')
}
