/** Engine options of a validated body, once the model that it names is known. */
import type { GenerateOptions } from '../../engine/api.ts'
import { ANYONE, type Caller } from '../auth/caller.ts'
import type { Dialect } from '../contract/dialect.ts'
import { ApiError } from '../contract/errors.ts'
import { generateOptions, type WireSampling } from '../contract/sampling.ts'
import type { ServedEngine } from '../contract/served-engine.ts'
import { checkIds } from './env.ts'

/**
 * @param caller their cached prefixes are their own: how many were found would tell a stranger what others ask
 * @param stop strings that end the answer, under whatever name the endpoint gives them
 * @throws ApiError for ids that the model does not have, and for fields that contradict each other
 */
export function askedOptions(
  engine: ServedEngine,
  caller: Caller,
  body: WireSampling,
  stop: readonly string[],
  dialect: Dialect,
): GenerateOptions {
  checkIds(engine, body.stop_token_ids ?? [], 'stop_token_ids')
  checkBias(engine, body.logit_bias ?? {})
  const options = generateOptions(body, stop, dialect, engine.defaults)
  return caller.id === ANYONE.id
    ? options
    : { ...options, cacheSalt: `${caller.id} ${options.cacheSalt ?? ''}` }
}

function checkBias(engine: ServedEngine, bias: Readonly<Record<string, number>>): void {
  const size = engine.info.vocabularySize
  const wrong = Object.keys(bias).find((id) => Number(id) >= size)
  if (wrong === undefined) return
  throw new ApiError(
    'bad_request',
    `The parameter 'logit_bias' names the token id ${wrong}, but this model has token ids 0 to ${size - 1}.`,
    'logit_bias',
  )
}
