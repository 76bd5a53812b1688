#!/usr/bin/env node
/**
 * Checks what a user would install: packs the tarball, looks at its size and contents, lints it with publint, installs
 * it in an empty folder, imports every entry point there, type-checks five lines against it, runs its command and asks
 * its server for the playground.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from './build.mjs'
import { isBuilt, locked, root, say } from './project.mjs'

const MOST_BYTES = 1024 * 1024
const UNWANTED =
  /\.map$|\.test\.|(^|\/)(fixtures|test|peers|node_modules)\/|(^|\/)(testing|fake-[^/]*|[^/]*fixture)\.|\.tsbuildinfo$/
const ENTRIES = [
  'illuminator',
  'illuminator/server',
  'illuminator/kernels',
  'illuminator/tokenizer',
]
/** The page and every file it links come out of the installed packages, before any model is there. */
const PLAYGROUND = `import { serve } from 'illuminator/server'
const load = ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
const server = await serve({ port: 0, load, log: () => {} })
server.ready.catch(() => {})
const read = async (path) => {
  const response = await fetch(server.url + path)
  if (!response.ok) throw new Error(path + ' answers ' + response.status)
  return response.text()
}
const pages = (await Promise.all(['/', '/status'].map(read))).join('')
const links = [...pages.matchAll(/"(\\/playground\\/[^"]+)"/g)].map(([, link]) => link)
if (links.length < 10) throw new Error('the playground links only ' + links)
await Promise.all(links.map(read))
await server.close()
`
const TYPED = `import { type Chunk, Engine, EngineError, type GenerateOptions } from 'illuminator'
export const options: GenerateOptions = { maxTokens: 3, temperature: 0 }
// @ts-expect-error the types are real, not any
export const wrong: GenerateOptions = { maxTokens: 'three' }
export const textOf = (chunk: Chunk): string => chunk.text
export const isOurs = (value: unknown): value is Engine | EngineError =>
  value instanceof Engine || value instanceof EngineError
`

const work = mkdtempSync(join(tmpdir(), 'illuminator-package-'))
const requireHere = createRequire(join(root, 'package.json'))
try {
  await locked(() => (isBuilt() ? undefined : build()))
  const tarball = pack()
  runNode([join(root, 'node_modules', '.bin', 'publint'), 'run', tarball, '--strict'], root)
  const folder = installInto(join(work, 'empty'), tarball)
  for (const entry of ENTRIES) {
    runNode(['--input-type=module', '--eval', `await import(${JSON.stringify(entry)})`], folder)
  }
  const isThere =
    "import { Engine } from 'illuminator'; if (typeof Engine !== 'function') throw new Error('no Engine')"
  runNode(['--input-type=module', '--eval', isThere], folder)
  checkTypes(folder)
  runNode(['--input-type=module', '--eval', PLAYGROUND], folder)
  runNode([join(folder, 'node_modules', '.bin', 'illuminator'), '--help'], folder)
  runNode([join(folder, 'node_modules', '.bin', 'illuminator'), 'bench', '--help'], folder)
  say(`the package works from its tarball: ${ENTRIES.join(', ')}, types and the command`)
} catch (error) {
  say(`the package is not fit: ${error.message}`)
  process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}

function pack() {
  const output = npm(['pack', '--json', '--ignore-scripts', '--pack-destination', work], root)
  const [{ filename, size, files }] = JSON.parse(output)
  const unwanted = files.map((file) => file.path).filter((path) => UNWANTED.test(path))
  if (unwanted.length > 0)
    throw new Error(`the tarball holds ${unwanted.slice(0, 5).join(', ')}: keep them out of dist`)
  if (size > MOST_BYTES)
    throw new Error(`the tarball has ${size} bytes, at most ${MOST_BYTES} are allowed`)
  say(`packed ${files.length} files, ${Math.ceil(size / 1024)} KiB`)
  return join(work, filename)
}

function installInto(folder, tarball) {
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  npm(['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], folder)
  return folder
}

function checkTypes(folder) {
  const compilerOptions = {
    module: 'NodeNext',
    target: 'ES2023',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  }
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['use.ts'] }),
  )
  writeFileSync(join(folder, 'use.ts'), TYPED)
  runNode([requireHere.resolve('typescript/bin/tsc'), '-p', folder], folder)
}

function runNode(args, cwd) {
  try {
    execFileSync(process.execPath, args, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    throw new Error(`node ${args.join(' ')}\n${error.stdout ?? ''}${error.stderr ?? ''}`)
  }
}

function npm(args, cwd) {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 2] })
}
