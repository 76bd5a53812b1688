/** `illuminator generate PROMPT`: continues a text, here or on a server. Only the answer goes to stdout. */
import { open, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { answerReport, follow, statsLine } from '../answer.ts'
import { addBackend, type BackendFlags, withBackend } from '../backend/open-backend.ts'
import { Interrupted, UsageError } from '../exit.ts'
import { note, readAll, stderrColors, write } from '../io.ts'
import { addSampling, DEFAULTS, type SamplingFlags, samplingFrom } from '../options.ts'
import type { Deps } from '../session.ts'

interface Flags extends SamplingFlags, BackendFlags {
  output?: string
  json?: boolean
  stats?: boolean
}

export function addGenerate(program: Command, deps: Deps): void {
  const command = program
    .command('generate')
    .description('continue a text')
    .argument('[prompt]', 'the text; "-" or nothing reads it from stdin')
  addBackend(addSampling(command, DEFAULTS.maxTokens), deps)
    .option('-o, --output <file>', 'write the answer to a file instead of stdout')
    .option('--json', 'print one JSON object with text, counts and timings')
    .option('--stats', 'counts and speed on stderr')
    .action((prompt: string | undefined, flags: Flags) => generate(deps, prompt, flags))
}

async function generate(deps: Deps, prompt: string | undefined, flags: Flags): Promise<void> {
  const { io } = deps
  const text = await promptText(deps, prompt)
  if (flags.output !== undefined) await checkOutput(flags.output)
  await withBackend(deps, flags, async (backend, signal) => {
    const options = { ...samplingFrom(flags), signal }
    const streams = !flags.json && flags.output === undefined
    const answered = await follow(backend.generate(text, options), (piece) =>
      streams ? write(io.stdout, piece) : undefined,
    )
    if (streams) await write(io.stdout, '\n')
    if (flags.stats) note(io, stderrColors(io).dim(statsLine(answered)))
    if (signal.aborted) throw new Interrupted('interrupted')
    if (streams) return
    const whole = flags.json
      ? `${JSON.stringify(answerReport(backend.model, answered, options))}\n`
      : `${answered.text}\n`
    if (flags.output === undefined) await write(io.stdout, whole)
    else await writeFile(flags.output, whole)
  })
}

/** Before the answer is made, not after: what is in the file stays there until then. */
async function checkOutput(file: string): Promise<void> {
  try {
    await (await open(file, 'a')).close()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new UsageError(`The answer cannot be written to ${file}: ${why}`)
  }
}

async function promptText({ io }: Deps, prompt: string | undefined): Promise<string> {
  const fromStdin = prompt === '-' || (prompt === undefined && !io.stdin.isTTY)
  const text = fromStdin ? await readAll(io.stdin) : prompt
  if (text) return text
  throw new UsageError(
    fromStdin
      ? 'stdin is empty; pipe a prompt in, or give one: illuminator generate "Once upon a time"'
      : 'no prompt; give one: illuminator generate "Once upon a time", or pipe one in',
  )
}
