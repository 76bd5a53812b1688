/** The model families, one line each, and the choice among them by `config.json`'s `architectures`. */
import { EngineError } from '../errors.ts'
import { type JsonObject, show } from '../weights/json.ts'
import type { Family } from './config.ts'
import { llama } from './llama.ts'

const families = { llama } satisfies Record<string, Family>

/**
 * The family that runs a config.
 *
 * @throws EngineError('model') when `architectures` is missing or names none that is supported; lists those that are
 */
export function familyOf(config: JsonObject): Family {
  const { architectures } = config
  const all: readonly Family[] = Object.values(families)
  const supported = all.flatMap((family) => family.architectures).join(', ')
  const isList = Array.isArray(architectures) && architectures.length > 0
  if (!isList || !architectures.every((name) => typeof name === 'string')) {
    throw new EngineError(
      'model',
      `config.json: "architectures" is ${show(architectures)}, expected a list with one of: ${supported}`,
    )
  }
  const family = all.find((one) => one.architectures.some((name) => architectures.includes(name)))
  if (family) return family
  throw new EngineError(
    'model',
    `config.json: architecture ${architectures.map(show).join(', ')} is not supported; supported: ${supported}`,
  )
}
