/** The checks that tests pass their answers through do find what is wrong. */
import { expect, test } from 'vitest'
import { checkDeclared } from './declared-answers.ts'
import { checkOpenAiShape } from './openai-shapes.ts'

const CHAT = { method: 'POST', path: '/v1/chat/completions' }

const chunk = (more: object, choice: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta: { content: 'a' }, logprobs: null, finish_reason: null, ...choice }],
  ...more,
})

test('an invented field, a wrong word and a missing field are not OpenAI’s', () => {
  const check = (value: object) => () => checkOpenAiShape(CHAT, 'chunk', value)
  expect(check(chunk({}))).not.toThrow()
  expect(check(chunk({ timings: {} }))).toThrow('timings')
  expect(check(chunk({}, { finish_reason: 'cancelled' }))).toThrow('finish_reason')
  expect(check(chunk({ created: undefined }))).toThrow('created')
  expect(check(chunk({}, { delta: { content: 'a', token: 1 } }))).toThrow('token')
  expect(check({ error: { message: 'x', type: 'y', param: null } })).toThrow('code')
})

test('a path of OpenAI’s that has no schema is not passed over', () => {
  const check = () => checkOpenAiShape({ method: 'POST', path: '/v1/embeddings' }, 'body', {})
  expect(check).toThrow('knows no schema')
})

test('a status that the document does not declare is named', () => {
  expect(() => checkDeclared('POST', '/v1/completions', 400)).not.toThrow()
  expect(() => checkDeclared('POST', '/v1/completions', 422)).toThrow(
    'POST /v1/completions answers 422',
  )
  expect(() => checkDeclared('GET', '/v1/models/a/b', 409)).toThrow('GET /v1/models/{id}')
  expect(() => checkDeclared('GET', '/nowhere', 409)).not.toThrow()
})
