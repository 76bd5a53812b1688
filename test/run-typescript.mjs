/**
 * Lets a child process of a test run our TypeScript: `node --import ./test/run-typescript.mjs some.ts`. Node 20 does
 * not strip types itself. Worker threads of such a process inherit it.
 */
import { register } from 'node:module'

const hooks = `
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from ${JSON.stringify(import.meta.resolve('typescript'))}
export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context)
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true }
  const source = ts.transpileModule(readFileSync(fileURLToPath(url), 'utf8'), { compilerOptions: options }).outputText
  return { format: 'module', shortCircuit: true, source }
}`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)
