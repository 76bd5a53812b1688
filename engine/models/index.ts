/** The model families, one line each, and the choice among them by `config.json`'s `architectures`. */
import { EngineError } from '../errors.ts'
import { type JsonObject, show } from '../weights/json.ts'
import type { Family } from './config.ts'
import { gemma2 } from './gemma2.ts'
import { gemma3 } from './gemma3.ts'
import { gptOss } from './gpt-oss.ts'
import { gpt2 } from './gpt2.ts'
import { granite } from './granite.ts'
import { illuminator } from './illuminator.ts'
import { illuminatorPractical } from './illuminator-practical.ts'
import { llama } from './llama.ts'
import { mistral } from './mistral.ts'
import { mixtral } from './mixtral.ts'
import { olmo2 } from './olmo2.ts'
import { phi3 } from './phi3.ts'
import { qwen2 } from './qwen2.ts'
import { qwen3 } from './qwen3.ts'
import { qwen3Moe } from './qwen3-moe.ts'
import { smollm3 } from './smollm3.ts'

const families: readonly Family[] = [
  llama,
  mistral,
  mixtral,
  qwen2,
  qwen3,
  qwen3Moe,
  phi3,
  gemma2,
  gemma3,
  smollm3,
  granite,
  olmo2,
  gpt2,
  gptOss,
  illuminator,
  illuminatorPractical,
]

/**
 * The family that runs a config.
 *
 * @throws EngineError('model') when `architectures` is missing or names none that is supported; lists those that are
 */
export function familyOf(config: JsonObject): Family {
  const { architectures } = config
  const supported = families.flatMap((family) => family.architectures).join(', ')
  const isList = Array.isArray(architectures) && architectures.length > 0
  if (!isList || !architectures.every((name) => typeof name === 'string')) {
    throw new EngineError(
      'model',
      `config.json: "architectures" is ${show(architectures)}, expected a list with one of: ${supported}`,
    )
  }
  const family = families.find((one) =>
    one.architectures.some((name) => architectures.includes(name)),
  )
  if (family) return family
  throw new EngineError(
    'model',
    `config.json: architecture ${architectures.map(show).join(', ')} is not supported; supported: ${supported}`,
  )
}
