/** OpenAI's batch input: what a line must be, and what is told of one that is not. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readInputFile } from './input-file.ts'

const ENDPOINT = '/v1/chat/completions'
const line = (more: object = {}) => ({
  custom_id: 'a',
  method: 'POST',
  url: ENDPOINT,
  body: { messages: [{ role: 'user', content: 'é💡\n' }] },
  ...more,
})
const read = (text: string) => readInputFile(new TextEncoder().encode(text), ENDPOINT)

test('lines, whatever ends them, and whatever white space is between', () => {
  const [a, b] = [JSON.stringify(line()), JSON.stringify(line({ custom_id: 'b' }))]
  for (const text of [`${a}\n${b}`, `${a}\r\n${b}\r\n`, `\n\n${a}\n \n${b}\n\n`]) {
    expect(read(text)).toEqual({
      errors: [],
      items: ['a', 'b'].map((customId) => ({ customId, body: line().body })),
    })
  }
})

test('what is wrong is told by line and parameter', () => {
  const wrong: [object | string, string | null, RegExp][] = [
    ['{', null, /not valid JSON/],
    [line({ url: '/v1/embeddings' }), 'url', /the batch is for/],
    [line({ method: 'GET' }), 'method', /must be 'POST'/],
    [line({ custom_id: '' }), 'custom_id', /custom_id/],
    [{ ...line(), extra: 1 }, 'extra', /Unknown parameter/],
    [line({ body: { stream: true } }), 'body.stream', /must not be set/],
    [line({ body: [] }), 'body', /must be an object/],
  ]
  for (const [value, param, message] of wrong) {
    const bad = typeof value === 'string' ? value : JSON.stringify(value)
    const { errors } = read(`${JSON.stringify(line({ custom_id: 'first' }))}\n${bad}`)
    expect(errors).toMatchObject([
      {
        line: 2,
        param,
        message: expect.stringMatching(message) as string,
        code: expect.stringMatching(/^(invalid|unknown)_/) as string,
      },
    ])
  }
  expect(read(`${JSON.stringify(line())}\n${JSON.stringify(line())}`).errors).toMatchObject([
    { line: 2, param: 'custom_id', message: expect.stringMatching(/earlier line/) as string },
  ])
  expect(read('').errors).toMatchObject([{ code: 'empty_file', line: null }])
  expect(read('{\n'.repeat(1000)).errors).toHaveLength(100)
})

test('any bytes are read or refused, never worse', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const { items, errors } = readInputFile(bytes, ENDPOINT)
      expect(items.length === 0 || errors.length === 0).toBe(true)
    }),
  )
})
