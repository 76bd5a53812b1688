/** What no assertion of ours may be: one that cannot fail. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const SKIPPED = /(^|\/)(node_modules|dist|\.git)\//

const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter(
  (path) =>
    path.endsWith('.test.ts') && !SKIPPED.test(path) && !path.endsWith('assertions.test.ts'),
)

/** `toMatchObject({ message: /…/ })` takes any message for a match: a pattern has no members that could differ. */
function barePatterns(text: string): string[] {
  return [...text.matchAll(/toMatchObject\(/g)].flatMap(({ index }) => {
    const call = text.slice(index, index + lengthOfCall(text.slice(index)))
    return call.match(/[:,[]\s*\/(?![/*])[^/\n]+\//g) ?? []
  })
}

function lengthOfCall(text: string): number {
  let depth = 0
  return text.split('').findIndex((letter) => {
    if (letter === '(') depth++
    return letter === ')' && --depth === 0
  })
}

test('patterns stand in expect.stringMatching, never bare in toMatchObject', () => {
  expect(
    barePatterns('expect(x).toMatchObject({ a: f(1), message: /b/ }); y = { c: /d/ }'),
  ).toEqual([': /b/'])
  expect(files.length).toBeGreaterThan(50)
  const found = files.flatMap((path) =>
    barePatterns(readFileSync(join(ROOT, path), 'utf8')).map((pattern) => `${path}: ${pattern}`),
  )
  expect(found).toEqual([])
})
