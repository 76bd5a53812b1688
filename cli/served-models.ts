/** Which models `serve` has: those of `--model`, loaded at once, and with `--on-demand` those of the models folder. */
import { totalmem } from 'node:os'
import { basename } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import type { ModelSource, ServedModels } from '../server/index.ts'
import { UsageError } from './exit.ts'
import type { Parts } from './open-engine.ts'
import { addEngine, bytes, type EngineFlags, loadingFrom, modelName, several } from './options.ts'

export interface ServedFlags extends EngineFlags {
  model?: string[]
  onDemand?: boolean
  modelsFolder?: string
  memory?: number
  keepAlive: number
}

const MINUTES = 60_000
const UNITS = { '': 1000, ms: 1, s: 1000, m: MINUTES, h: 60 * MINUTES } as const

/** A parser of times, in milliseconds: 90s, 5m, 1h; a number alone is seconds, and any below 0 is for ever. */
function time(text: string): number {
  const [, number, unit = ''] = /^(-?\d+(?:\.\d+)?)\s*(ms|s|m|h|)$/.exec(text.trim()) ?? []
  const value = Number(number) * UNITS[unit as keyof typeof UNITS]
  if (value < 0) return -1
  // What a timer can hold, 24 days, is for ever here.
  if (value >= 0) return value < 2 ** 31 ? value : -1
  throw new InvalidArgumentError('Expected a time such as 90s, 5m or 1h; -1 is for ever.')
}

export function addServedModels(command: Command): Command {
  command.option(
    '--model <model>',
    'folder or Hugging Face id, loaded at the start and kept; may be repeated, and the first is the usual one (default: SmolLM2-135M-Instruct, or none with --on-demand)',
    several,
  )
  return addEngine(command)
    .option('--on-demand', 'serve every model of the models folder too, loaded when asked for')
    .option('--models-folder <folder>', 'where models are kept (default: ILLUMINATOR_MODELS)')
    .option(
      '--memory <size>',
      'most GPU memory for all models together, with --on-demand (default: half of the machine’s)',
      bytes,
    )
    .option(
      '--keep-alive <time>',
      'time that a model loaded on demand stays without use, as in 30s, 5m or 1h; -1 is for ever (default: 5m)',
      time,
      5 * MINUTES,
    )
}

/** @param weights as the models folder lists them; null where config.json does not say: floats */
const isQuantized = (weights: string | null): boolean =>
  weights !== null && !['bf16', 'f16', 'f32'].includes(weights)

/**
 * @returns looks for the models; nothing is loaded or fetched by that
 * @throws UsageError for flags that contradict each other
 */
export function servedModels(parts: Parts, flags: ServedFlags): () => Promise<ServedModels> {
  const names = (flags.model ?? []).map((name) => modelName(name) ?? name)
  const { onDemand = false, draft, chatTemplate, modelsFolder } = flags
  if (draft !== undefined && (onDemand || names.length > 1)) {
    throw new UsageError('--draft goes with one --model only: a draft must have its vocabulary.')
  }
  if (chatTemplate !== undefined && (onDemand || names.length > 1)) {
    throw new UsageError('--chat-template goes with one --model only: it is of that model’s kind.')
  }
  const folder = modelsFolder === undefined ? {} : { modelsFolder }
  const loading = { ...loadingFrom(flags), ...folder }
  // What is quantized already is served as it is: nobody named it, so nobody asked for it to be quantized.
  const { quantize: _, ...asItIs } = loading
  const loadingOf = (weights: string | null) => (isQuantized(weights) ? asItIs : loading)
  return async () => {
    const { DEFAULT_MODEL, listModels, modelIdOf } = await parts.hub()
    const pinned = async (name: string | undefined): Promise<ModelSource> => ({
      id: await modelIdOf(name ?? DEFAULT_MODEL),
      aliases: name === undefined ? [] : [name, basename(name)],
      load: (hooks) => parts.openEngine(name, { ...loading, ...hooks }),
    })
    const wanted = names.length > 0 || onDemand ? names : [undefined]
    const sources = await Promise.all(wanted.map(pinned))
    if (!onDemand) return { pinned: sources }
    return {
      pinned: sources,
      budget: flags.memory ?? totalmem() / 2,
      keepAliveMs: flags.keepAlive,
      catalog: async () =>
        (await listModels(modelsFolder)).map(({ id, bytes, ...facts }) => ({
          id,
          // Its KV cache comes on top; unless it is set, how large that is shows once it is loaded.
          bytes: bytes + (flags.kvMemory ?? 0),
          facts,
          load: (hooks) => parts.openEngine(id, { ...loadingOf(facts.weights), ...hooks }),
        })),
    }
  }
}
