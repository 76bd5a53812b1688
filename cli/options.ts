/** Options that several commands share, with their ranges; a value outside is a usage error before anything loads. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type GenerateOptions, type LoadOptions, QUANTIZE_TYPES } from '../engine/api.ts'
import { UsageError } from './exit.ts'

/** The contract's defaults; a test holds them against the server's. */
export const DEFAULTS = { maxTokens: 100, temperature: 0.7, topP: 0.9, topK: 50 } as const

/** A parser of numbers in a range. */
export const real = (low: number, high: number) => (text: string) => {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= low && value <= high) return value
  const range = low === Number.MIN_VALUE ? `above 0, at most ${high}` : `from ${low} to ${high}`
  throw new InvalidArgumentError(`Expected a number ${range}.`)
}

/** A parser of whole numbers in a range. */
export const whole = (low: number, high: number) => (text: string) => {
  const value = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN
  if (value >= low && value <= high) return value
  const range = high >= 0x7fffffff ? `of at least ${low}` : `from ${low} to ${high}`
  throw new InvalidArgumentError(`Expected a whole number ${range}.`)
}

/** Gathers an option that may be given several times. */
export const several = (value: string, before: readonly string[] | undefined): string[] => [
  ...(before ?? []),
  value,
]

export interface SamplingFlags {
  maxTokens?: number
  temperature?: number
  topP?: number
  topK?: number
  minP?: number
  seed?: number
  stop?: string[]
  repetitionPenalty?: number
  presencePenalty?: number
  frequencyPenalty?: number
  ignoreEos?: boolean
}

/** Adds the options of everything that generates. */
export function addSampling(command: Command, maxTokens: number | undefined): Command {
  const { temperature, topP, topK } = DEFAULTS
  return command
    .addOption(
      new Option('--max-tokens <n>', 'most tokens to generate')
        .argParser(whole(1, 0x7fffffff))
        .default(maxTokens, maxTokens === undefined ? 'what fits the context' : undefined),
    )
    .option('--temperature <t>', '0 is greedy, at most 2', real(0, 2), temperature)
    .option('--top-p <p>', 'probability mass to keep', real(Number.MIN_VALUE, 1), topP)
    .option('--top-k <k>', 'most likely tokens to keep; 0 keeps all', whole(0, 0x7fffffff), topK)
    .option('--min-p <p>', 'drop tokens below this fraction of the most likely', real(0, 1))
    .option('--repetition-penalty <r>', '1 is none', real(1, 2))
    .option('--presence-penalty <p>', 'from -2 to 2', real(-2, 2))
    .option('--frequency-penalty <p>', 'from -2 to 2', real(-2, 2))
    .option('--seed <n>', 'makes a sampled answer repeatable', whole(0, 0xffffffff))
    .option('--stop <text>', 'text that ends the answer (may be repeated)', several)
    .option('--ignore-eos', 'go on after the model’s end-of-text tokens')
}

/** The engine's options from the flags. */
export function samplingFrom(flags: SamplingFlags): GenerateOptions {
  const names = [
    'maxTokens',
    'temperature',
    'topP',
    'topK',
    'minP',
    'seed',
    'stop',
    'repetitionPenalty',
    'presencePenalty',
    'frequencyPenalty',
    'ignoreEos',
  ] as const
  return given(flags, names)
}

/** Those of the named members that are there. */
function given<T extends object, K extends keyof T>(
  from: T,
  names: readonly K[],
): { [P in K]?: NonNullable<T[P]> } {
  const there = names.filter((name) => from[name] !== undefined)
  return Object.fromEntries(there.map((name) => [name, from[name]])) as {
    [P in K]?: NonNullable<T[P]>
  }
}

const UNITS = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

/** A parser of sizes in bytes: 1073741824, 512MB, 1.5GiB. */
export function bytes(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text.trim()) ?? []
  const value = Math.floor(Number(number) * UNITS[unit.toLowerCase() as keyof typeof UNITS])
  if (value > 0) return value
  throw new InvalidArgumentError('Expected a size such as 2GB, 512MB or a number of bytes.')
}

type Passed =
  | 'kv'
  | 'kvMemory'
  | 'activations'
  | 'maxSequences'
  | 'prefillChunk'
  | 'draft'
  | 'speculate'
  | 'adapter'
  | 'quantize'
  | 'chatTemplate'

export interface EngineFlags extends Pick<LoadOptions, Passed> {
  context?: number
}

export interface LoadFlags extends EngineFlags {
  model?: string
}

/** Adds the options of everything that loads a model. */
export const addLoading = (command: Command): Command =>
  addEngine(
    command.option('--model <model>', 'folder or Hugging Face id (default: SmolLM2-135M-Instruct)'),
  )

export const quantizeOption = (flags: string, help: string): Option =>
  new Option(flags, help).choices(QUANTIZE_TYPES)

/** Of BF16, F16 and F32 weights. */
export const QUANTIZE_ON_LOAD = quantizeOption(
  '--quantize <type>',
  'quantize BF16, F16 or F32 weights on load; int4/64: in groups of 64 (default group: 32)',
)

/** Adds how a model is to be loaded, whichever it is. */
export function addEngine(command: Command): Command {
  return command
    .addOption(QUANTIZE_ON_LOAD)
    .option('--context <n>', 'tokens to reserve for the context', whole(1, 0x7fffffff))
    .addOption(
      new Option('--kv <type>', 'number type of the KV cache (default: f16)').choices([
        'f16',
        'f32',
        'int8',
      ]),
    )
    .addOption(
      new Option(
        '--activations <type>',
        'what products over weights of 4 or 8 bits read (default: f32; int8 is faster)',
      ).choices(['f32', 'int8']),
    )
    .option('--kv-memory <size>', 'memory of the KV cache, as in 2GB or 512MB', bytes)
    .option('--max-sequences <n>', 'sequences that run at once (default: 16)', whole(1, 1024))
    .option('--prefill-chunk <n>', 'most prompt tokens in a step (default: 256)', whole(1, 4096))
    .option('--draft <model>', 'smaller model that drafts tokens ahead')
    .option(
      '--speculate <n>',
      'tokens to draft ahead, by --draft or by looking them up (default: 4 with --draft, else 0)',
      whole(0, 16),
    )
    .option('--chat-template <file>', 'Jinja template instead of the model’s own')
    .option('--adapter <name>', 'auto, gpu, lavapipe, swiftshader, or part of an adapter’s name')
}

/** The engine's load options from the flags. */
export function loadingFrom(flags: EngineFlags): LoadOptions {
  return {
    ...(flags.context === undefined ? {} : { contextLength: flags.context }),
    ...given(flags, [
      'quantize',
      'kv',
      'activations',
      'kvMemory',
      'maxSequences',
      'prefillChunk',
      'draft',
      'speculate',
      'chatTemplate',
    ]),
    ...(flags.adapter === undefined ? {} : { adapter: flags.adapter }),
  }
}

const PICKLES = /\.(pt|pth|bin|pkl|pickle|ckpt)$/i

/**
 * A model's name, once it is certain that it is no pickle.
 * @throws UsageError for a PyTorch checkpoint: opening one runs whatever code it carries
 */
export function modelName(model: string | undefined): string | undefined {
  if (model !== undefined && PICKLES.test(model)) {
    throw new UsageError(
      `${model} is a PyTorch pickle, and opening a pickle runs the code inside it; illuminator never does. ` +
        'Give a folder with config.json and *.safetensors. To convert it on a machine you trust: ' +
        `pip install 'illuminator-sdk[convert]' && illuminator-convert ${model} FOLDER`,
    )
  }
  return model
}
