/**
 * `illuminator logits MODEL --ids 1,5,7`: the numbers themselves, from the exact path (f32 activations and, unless told
 * otherwise, an f32 KV cache), for comparing with another implementation. Needs no tokenizer.
 */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { EngineError } from '../../engine/errors.ts'
import { write } from '../io.ts'
import { type LoadFlags, loadingFrom, modelName, QUANTIZE_ON_LOAD, whole } from '../options.ts'
import { type Deps, withEngine } from '../session.ts'

interface Flags extends LoadFlags {
  ids: number[]
  greedy?: number
  all?: boolean
  json?: boolean
}

export function addLogits(program: Command, deps: Deps): void {
  program
    .command('logits')
    .description('print logits for token ids, from the exact path')
    .argument('<model>', 'folder or Hugging Face id')
    .requiredOption('--ids <ids>', 'token ids, separated by commas', parseIds)
    .option('--greedy <n>', 'also continue greedily by n tokens', whole(0, 0x7fffffff))
    .option('--all', 'logits at every position, not only the last')
    .addOption(
      new Option('--kv <type>', 'number type of the KV cache')
        .choices(['f16', 'f32', 'int8'])
        .default('f32'),
    )
    .addOption(QUANTIZE_ON_LOAD)
    .option('--context <n>', 'tokens to reserve for the context', whole(1, 0x7fffffff))
    .option('--adapter <name>', 'auto, gpu, lavapipe, swiftshader, or part of an adapter’s name')
    .option('--json', 'print JSON: {"last_logits", "logits" (with --all), "greedy"}')
    .action((model: string, flags: Flags) => logits(deps, model, flags))
}

/** `1,5,7`. */
function parseIds(text: string): number[] {
  const ids = text.split(',').map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN))
  if (ids.every((id) => id <= 0x7fffffff)) return ids
  throw new InvalidArgumentError('Expected token ids separated by commas, for instance 1,5,7.')
}

async function logits(deps: Deps, model: string, flags: Flags): Promise<void> {
  await withEngine(deps, modelName(model), loadingFrom(flags), async (engine) => {
    const { ids, greedy = 0, all = false } = flags
    const result = await engine.logits(ids, { all, greedy })
    if (flags.json) {
      const everywhere = result.all
        ? { logits: Object.fromEntries(result.all.map((row, at) => [at, numbers(row)])) }
        : {}
      const body = { last_logits: numbers(result.last), ...everywhere, greedy: result.greedy }
      await write(deps.io.stdout, `${JSON.stringify(body)}\n`)
      return
    }
    const { stdout } = deps.io
    const rows = result.all ?? [result.last]
    for (const [at, row] of rows.entries()) {
      await write(stdout, `position ${ids.length - rows.length + at}\n${topTen(row)}`)
    }
    if (greedy > 0) await write(stdout, `greedy ${result.greedy.join(',')}\n`)
  })
}

/** A row as JSON numbers: nine digits tell every float32 from its neighbours. */
function numbers(row: Float32Array): number[] {
  return Array.from(row, (value, id) => {
    if (Number.isFinite(value)) return Number(value.toPrecision(9))
    throw new EngineError('gpu', `The logit of token ${id} is ${value}; a kernel is at fault.`)
  })
}

function topTen(row: Float32Array): string {
  const ids = Array.from(row.keys()).sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0))
  return ids
    .slice(0, 10)
    .map((id) => `  ${String(id).padStart(7)}  ${(row[id] ?? 0).toFixed(5)}\n`)
    .join('')
}
