/**
 * A program of `test/` as JavaScript, in a folder of its own: what is measured must be what users run, without a
 * TypeScript compiler beside it in memory.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'

const root = join(import.meta.dirname, '..')

/**
 * Compiles `test/<name>.ts` and all that it imports, unchecked.
 * @returns the path of the program; its folder is removed when this process ends
 */
export function compiled(name: string): string {
  // Within the checkout, where the packages are found.
  const cache = join(root, '.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'measured-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const config = join(folder, 'tsconfig.json')
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(relative(folder, root), 'tsconfig.json'),
      compilerOptions: { rootDir: root, outDir: folder, declaration: false, noCheck: true },
      files: [join(root, 'test', `${name}.ts`)],
      include: [],
    }),
  )
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', config], { stdio: ['ignore', 2, 2] })
  return join(folder, 'test', `${name}.js`)
}
