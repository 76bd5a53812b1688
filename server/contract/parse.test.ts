/** What is promised of bodies before any schema looks at them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_DEPTH, parseJson, readJson } from './parse.ts'

const parse = (text: string) => parseJson(Buffer.from(text), 'It')
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

test('as deep as allowed, and no deeper', () => {
  expect(parse(nested(MAX_DEPTH))).toEqual(JSON.parse(nested(MAX_DEPTH)))
  for (const text of [nested(MAX_DEPTH + 1), '{"a":'.repeat(1e5), '['.repeat(4e6)]) {
    expect(() => parse(text)).toThrow(`It is nested deeper than ${MAX_DEPTH} levels.`)
  }
})

test('brackets inside of strings, and levels side by side, do not count', () => {
  for (const text of [
    JSON.stringify('[{'.repeat(1000)),
    JSON.stringify(`\\"${'['.repeat(1000)}`),
    `[${Array(1000).fill('[]').join()}]`,
  ]) {
    expect(parse(text)).toEqual(JSON.parse(text))
  }
})

test('any JSON comes through as JSON.parse has it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), (text) => {
      expect(parse(text)).toEqual(JSON.parse(text))
    }),
  )
})

test('a body that breaks off is the client’s doing', async () => {
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(new Error('ECONNRESET'))
    },
  })
  const init = { method: 'POST', body, duplex: 'half' } as RequestInit
  await expect(readJson(new Request('http://x/', init))).rejects.toMatchObject({ code: 'aborted' })
})
