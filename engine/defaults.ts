/** What `generation_config.json` asks for, as generate options. */
import type { GenerateOptions } from './api.ts'
import type { JsonObject } from './weights/json.ts'

/** Only numbers in range are taken: a model's file must not make every request fail. */
export function defaultsOf(config: JsonObject): GenerateOptions {
  const options: GenerateOptions = {}
  const number = (key: string, ok: (value: number) => boolean): number | undefined => {
    const value = config[key]
    return typeof value === 'number' && ok(value) ? value : undefined
  }
  const temperature = number('temperature', (value) => value >= 0 && value <= 2)
  const topK = number('top_k', (value) => Number.isInteger(value) && value >= 0)
  const topP = number('top_p', (value) => value > 0 && value <= 1)
  const typicalP = number('typical_p', (value) => value > 0 && value <= 1)
  const maxTokens = number('max_new_tokens', (value) => Number.isInteger(value) && value >= 1)
  const minP = number('min_p', (value) => value >= 0 && value <= 1)
  const repetitionPenalty = number('repetition_penalty', (value) => value > 0 && value <= 10)
  if (config.do_sample === false) options.temperature = 0
  else if (temperature !== undefined) options.temperature = temperature
  if (topK !== undefined) options.topK = topK
  if (topP !== undefined) options.topP = topP
  if (minP !== undefined) options.minP = minP
  if (typicalP !== undefined) options.typicalP = typicalP
  if (maxTokens !== undefined) options.maxTokens = maxTokens
  if (repetitionPenalty !== undefined) options.repetitionPenalty = repetitionPenalty
  return options
}
