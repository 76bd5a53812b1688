/** Tokens as log-probabilities show them; `test/logprob-bytes.test.ts` has their bytes, over real tokenizers. */
import { expect, test } from 'vitest'
import { FakeEngine } from '../fake-engine.ts'
import { wireLogprobs } from './logprobs.ts'

const engine = new FakeEngine()

test('an impossible token is -9999, as JSON has no infinity', () => {
  const told = wireLogprobs([{ id: 5, logprob: -Infinity, top: [] }], engine, true)
  expect(told?.content[0]?.logprob).toBe(-9999)
})

test('what was not asked for is null', () => {
  expect(wireLogprobs(null, engine, true)).toBeNull()
})
