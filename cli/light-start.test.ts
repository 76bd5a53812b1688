/** What every command waits for: `--help`, and a server that is to listen soon, read no more than these packages. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'

/** Packages that a file reads before it runs, its own imports' included; `import()` is for later. */
function packagesOf(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return []
  seen.add(file)
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest)
  return source.statements.flatMap((statement) => {
    const isRead =
      (ts.isImportDeclaration(statement) && !statement.importClause?.isTypeOnly) ||
      (ts.isExportDeclaration(statement) && !statement.isTypeOnly)
    const from = isRead ? statement.moduleSpecifier : undefined
    if (!from || !ts.isStringLiteral(from)) return []
    const { text } = from
    return text.startsWith('.') ? packagesOf(join(dirname(file), text), seen) : [text]
  })
}

test('the command line starts with few packages', () => {
  const all = new Set(packagesOf(join(import.meta.dirname, 'main.ts')))
  const others = [...all].filter((name) => !name.startsWith('node:'))
  expect(others.sort()).toEqual(['cli-progress', 'commander', 'picocolors'])
})
