/** `illuminator batch PROMPTS --output FILE`: answers a file of prompts, and goes on where an earlier run ended. */
import type { Command } from 'commander'
import { addBackend } from '../backend/open-backend.ts'
import { type BatchFlags, MOST_AT_ONCE } from '../batch/batch-flags.ts'
import { UsageError } from '../exit.ts'
import { addSampling, DEFAULTS, whole } from '../options.ts'
import type { Deps } from '../session.ts'

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
    async (prompts: string, flags: BatchFlags) => {
      // What is configured for chats is none of a text's business.
      const isGiven = command.getOptionValueSource('systemMessage') === 'cli'
      if (isGiven && !flags.chat) {
        throw new UsageError('--system-message is for chats: add --chat, or leave it out.')
      }
      // Read only when it is needed: no start should wait for it.
      const { answerFile } = await import('../batch/answer-file.ts')
      await answerFile(deps, prompts, flags)
    },
  )
}
