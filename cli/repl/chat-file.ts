/** A conversation in a file: messages as `/v1/chat/completions` takes them. */
import { readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { z } from 'zod'
import type { ChatMessage } from '../../engine/api.ts'
import { CommandError } from '../exit.ts'

const chatFile = z.object({
  model: z.string().nullish(),
  messages: z.array(
    z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() }),
  ),
})

/** `~/` is the user's own folder: no shell has seen to it. */
export const pathOf = (text: string): string => text.replace(/^~(?=\/|$)/, () => homedir())

/** @throws CommandError for a file that cannot be read, or is something else */
export async function loadChat(path: string): Promise<ChatMessage[]> {
  const content = await readFile(path, 'utf8').catch((error: Error) => {
    throw new CommandError(`${path} cannot be read: ${error.message}`, { cause: error })
  })
  const known = chatFile.safeParse(parsed(content))
  if (known.success) return known.data.messages
  throw new CommandError(
    `${path} is no conversation: expected {"messages": [{"role", "content"}]}.`,
  )
}

/**
 * Writes it for its owner only. A file that is something else is not written over.
 * @throws CommandError
 */
export async function saveChat(
  path: string,
  model: string | null,
  messages: readonly ChatMessage[],
): Promise<void> {
  const text = `${JSON.stringify({ model, messages }, null, 2)}\n`
  try {
    const before = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    if (before !== null && !chatFile.safeParse(parsed(before)).success) {
      throw new CommandError(`${path} is there already and is no conversation; give another name.`)
    }
    await writeFile(path, text, { mode: 0o600 })
  } catch (error) {
    if (error instanceof CommandError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(`${path} cannot be written: ${why}`, { cause: error })
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
