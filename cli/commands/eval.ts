/** `illuminator eval perplexity MODEL FILE`: how well a model foretells a text, for comparing weights and settings. */
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { UsageError } from '../exit.ts'
import { note, write } from '../io.ts'
import { addEngine, type EngineFlags, loadingFrom, modelName, whole } from '../options.ts'
import { type Deps, withEngine } from '../session.ts'

interface Flags extends EngineFlags {
  window: number
  stride?: number
  json?: boolean
}

export function addEval(program: Command, deps: Deps): void {
  const evaluations = program.command('eval').description('measure how good a model’s answers are')
  const perplexity = evaluations
    .command('perplexity')
    .description('how well a model foretells a text; lower is better')
    .argument('<model>', 'folder or Hugging Face id')
    .argument('<file>', 'text in UTF-8')
  addEngine(perplexity)
    .option('--window <n>', 'tokens that the model sees at once', whole(2, 0x7fffffff), 512)
    .option(
      '--stride <n>',
      'tokens that the window moves by (default: half of it)',
      whole(1, 0x7fffffff),
    )
    .option('--json', 'print JSON')
    .action((model: string, file: string, flags: Flags) => evaluate(deps, model, file, flags))
}

async function evaluate(deps: Deps, model: string, file: string, flags: Flags): Promise<void> {
  const { window, stride = Math.ceil(window / 2) } = flags
  if (stride >= window) throw new UsageError(`--stride must be below --window, ${window}.`)
  const text = await readText(file)
  const { io } = deps
  const { perplexityOf } = await import('../eval/perplexity.ts')
  await withEngine(deps, modelName(model), loadingFrom(flags), async (engine, signal) => {
    const { contextLength, id, weights } = engine.info
    if (window > contextLength) {
      throw new UsageError(`--window must be at most the context, ${contextLength}.`)
    }
    let told = 0
    const onProgress = (done: number, total: number) => {
      signal.throwIfAborted()
      const tenths = Math.floor((10 * done) / total)
      if (tenths > told) note(io, `${done} of ${total} tokens`)
      told = tenths
    }
    const found = await perplexityOf(engine, engine.tokenize(text), { window, stride, onProgress })
    const { tokens, loss, perplexity } = found
    const facts = { model: id, weights, file, tokens, window, stride, loss, perplexity }
    const line = `perplexity ${perplexity.toFixed(4)} over ${tokens} tokens of ${file} (${id}, ${weights})`
    await write(io.stdout, `${flags.json ? JSON.stringify(facts) : line}\n`)
  })
}

/** @throws UsageError */
async function readText(file: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file))
  } catch (error) {
    throw new UsageError(
      `${file} cannot be read as text: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
