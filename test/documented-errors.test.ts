/** docs/troubleshooting.md is looked up by what an error says: every message it quotes is one that the sources have. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const PAGE = readFileSync(join(ROOT, 'docs', 'troubleshooting.md'), 'utf8')

const SOURCES = ['cli', 'engine', 'kernels', 'server', 'tokenizer']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      join(folder, name),
    ),
  )
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .map((path) => readFileSync(join(ROOT, path), 'utf8'))
  .join('\n')

/** The pieces of a quoted message between what differs from case to case. */
const quoted = [...PAGE.matchAll(/^\| (`.+?`) \|/gm)].flatMap(([, cell = '']) =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, message = '']) => message),
)

test('it quotes messages', () => {
  expect(quoted.length).toBeGreaterThan(25)
})

test.each(quoted)('%s', (message) => {
  const pieces = message
    .split('…')
    .map((piece) => piece.trim())
    .filter((piece) => piece.length > 3)
  for (const piece of pieces) {
    // In the sources a message is a template: what differs is a hole, and quotes may be escaped.
    expect(SOURCES.includes(piece) || SOURCES.includes(piece.replaceAll('"', '')), piece).toBe(true)
  }
})
