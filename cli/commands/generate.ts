/** `illuminator generate PROMPT`: continues a text. Only the answer goes to stdout. */
import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { GenerateOptions } from '../../engine/api.ts'
import { decodeRate, follow, statsLine } from '../answer.ts'
import { applyClientSettings } from '../client/effective.ts'
import { Interrupted, UsageError } from '../exit.ts'
import { note, readAll, stderrColors, write } from '../io.ts'
import type { CliEngine } from '../open-engine.ts'
import {
  addLoading,
  addSampling,
  DEFAULTS,
  type LoadFlags,
  loadingFrom,
  modelName,
  type SamplingFlags,
  samplingFrom,
} from '../options.ts'
import { type Deps, withEngine } from '../session.ts'

interface Flags extends SamplingFlags, LoadFlags {
  output?: string
  json?: boolean
}

export function addGenerate(program: Command, deps: Deps): void {
  const command = program
    .command('generate')
    .description('continue a text')
    .argument('[prompt]', 'the text; "-" or nothing reads it from stdin')
  addLoading(addSampling(command, DEFAULTS.maxTokens))
    .option('-o, --output <file>', 'write the answer to a file instead of stdout')
    .option('--json', 'print one JSON object with text, counts and timings')
    .hook('preAction', (command) => applyClientSettings(command, deps.io.env))
    .action((prompt: string | undefined, flags: Flags) => generate(deps, prompt, flags))
}

async function generate(deps: Deps, prompt: string | undefined, flags: Flags): Promise<void> {
  const { io } = deps
  const model = modelName(flags.model)
  const text = await promptText(deps, prompt)
  await withEngine(deps, model, loadingFrom(flags), async (engine, signal) => {
    const options = { ...samplingFrom(flags), signal }
    const streams = !flags.json && flags.output === undefined
    const answered = await follow(engine.generate(text, options), (piece) =>
      streams ? write(io.stdout, piece) : undefined,
    )
    if (streams) await write(io.stdout, '\n')
    const dim = stderrColors(io).dim
    note(io, dim(statsLine(answered)))
    if (signal.aborted) throw new Interrupted('interrupted')
    if (streams) return
    const whole = flags.json
      ? `${JSON.stringify(report(engine, answered, options))}\n`
      : `${answered.text}\n`
    if (flags.output === undefined) await write(io.stdout, whole)
    else await writeFile(flags.output, whole)
  })
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

function report(
  engine: CliEngine,
  answered: Awaited<ReturnType<typeof follow>>,
  options: GenerateOptions,
): object {
  const { usage } = answered
  return {
    model: engine.info.id,
    text: answered.text,
    finish_reason: answered.finishReason,
    usage: usage && {
      prompt_tokens: usage.promptTokens,
      completion_tokens: usage.completionTokens,
      total_tokens: usage.totalTokens,
    },
    seed: options.seed ?? null,
    timings: {
      first_token_ms: Math.round(answered.firstToken),
      total_ms: Math.round(answered.total),
      tokens_per_second: decodeRate(answered),
    },
  }
}
