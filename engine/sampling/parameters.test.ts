/** What a caller may ask for: every bound refuses by name, and defaults change nothing. */
import { describe, expect, test } from 'vitest'
import type { GenerateOptions } from '../api.ts'
import { EngineError } from '../errors.ts'
import { checkParameters } from './parameters.ts'

const VOCABULARY = 100
const check = (options: GenerateOptions, drafts = 4) => checkParameters(options, VOCABULARY, drafts)

function refusal(options: GenerateOptions): EngineError {
  try {
    check(options)
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
  return expect.fail(`${JSON.stringify(options)} was taken.`)
}

const biases = Object.fromEntries(Array.from({ length: 1025 }, (_, id) => [id, 1]))

describe('out of range', () => {
  const cases: Record<string, readonly unknown[]> = {
    temperature: [-0.1, 2.1, Number.NaN, Number.POSITIVE_INFINITY],
    topK: [-1, 0.5, Number.NaN],
    topP: [0, -0.1, 1.01, Number.NaN],
    minP: [-0.1, 1.1],
    typicalP: [0, 1.1],
    repetitionPenalty: [0, -1, 11],
    presencePenalty: [-2.1, 2.1],
    frequencyPenalty: [-2.1, 2.1],
    logitBias: [{ 5: 101 }, { 5: -101 }, { 100: 1 }, { '-1': 1 }, { 0.5: 1 }, { x: 1 }, biases],
    allowedTokens: [[], [100], [-1], [0.5]],
    seed: [-1, 0.5, 2 ** 32, Number.NaN],
    n: [0, 129, 1.5],
    maxTokens: [0, -1, 1.5, Number.NaN],
    stop: [[''], Array.from({ length: 17 }, String)],
    stopTokenIds: [[100], [-1], [0.5]],
    priority: ['urgent', ''],
    speculate: [-1, 17, 0.5],
    timeout: [0, -1, 0.5, 2 ** 31],
  }
  test.each(Object.entries(cases))('%s', (param, values) => {
    for (const value of values) {
      const error = refusal({ [param]: value })
      expect(error).toMatchObject({ code: 'bad_request', param })
      expect(error.message).toContain(param)
    }
  })

  test('topLogprobs: 0–20, and only with logprobs', () => {
    for (const topLogprobs of [-1, 21, 0.5]) {
      expect(refusal({ logprobs: true, topLogprobs })).toMatchObject({ param: 'topLogprobs' })
    }
    expect(refusal({ topLogprobs: 3 }).message).toContain('logprobs: true')
    expect(check({ logprobs: true, topLogprobs: 20 }).sampling[0]?.logprobs).toBe(20)
  })
})

describe('taken', () => {
  test('bounds themselves', () => {
    const low = { temperature: 0, topK: 0, minP: 0, presencePenalty: -2, seed: 0, n: 1, timeout: 1 }
    const high = { temperature: 2, topP: 1, minP: 1, typicalP: 1, seed: 2 ** 32 - 1, n: 128 }
    for (const options of [low, high]) expect(() => check(options)).not.toThrow()
  })

  test('a top-k above the vocabulary keeps all, temperatures that only overflow are greedy', () => {
    expect(check({ topK: 5000 }).sampling[0]?.settings.topK).toBe(VOCABULARY)
    expect(check({ temperature: 1e-9 }).sampling[0]?.settings.temperature).toBe(0)
  })

  test('drafts: what the engine was loaded with, or fewer', () => {
    expect(check({}).drafts).toBe(4)
    expect(check({ speculate: 16 }).drafts).toBe(4)
    expect(check({ speculate: 0 }).drafts).toBe(0)
    expect(check({ speculate: 3 }, 0).drafts).toBe(0)
  })

  test('the first choice has the seed that was asked for, the others their own', () => {
    const seeds = check({ n: 4, seed: 2 ** 32 - 1 }).sampling.map(({ settings }) => settings.seed)
    expect(seeds[0]).toBe(2 ** 32 - 1)
    expect(new Set(seeds).size).toBe(4)
    for (const seed of seeds)
      expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32).toBe(true)
  })

  test('without a seed each request draws anew', () => {
    const seeds = Array.from({ length: 5 }, () => check({}).sampling[0]?.settings.seed)
    expect(new Set(seeds).size).toBe(5)
  })
})
