/**
 * `scripts/run.mjs` and `build.mjs` in a small project of their own: they build when sources changed, keep stdout for
 * the command, pass its exit code on, and two at once do not spoil the build.
 */
import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../', import.meta.url))
let project: string

function write(path: string, text: string): void {
  mkdirSync(dirname(join(project, path)), { recursive: true })
  writeFileSync(join(project, path), text)
}

interface Ended {
  code: number
  stdout: string
  stderr: string
}

function run(...args: string[]): Promise<Ended> {
  const script = [join(project, 'scripts/run.mjs'), ...args]
  return new Promise((resolve) => {
    execFile(process.execPath, script, { cwd: tmpdir() }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr })
    })
  })
}

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'project-'))
  for (const name of [
    'scripts',
    'tsconfig.json',
    'tsconfig.build.json',
    'package.json',
    'package-lock.json',
  ]) {
    cpSync(join(root, name), join(project, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'))
  write(
    'cli/main.ts',
    `#!/usr/bin/env node\nconsole.log(JSON.stringify(process.argv.slice(2)))\nprocess.exitCode = 7\n`,
  )
  write('kernels/ops/add.wgsl', '// a shader')
  write('kernels/ops/add.test.ts', 'export const wrong: string = 1')
})
afterAll(() => rmSync(project, { recursive: true, force: true }))

it('builds, then runs the command: its stdout, arguments and exit code', async () => {
  const first = await run('cli', 'generate', '--json', 'two words')
  expect(first, first.stderr).toMatchObject({
    code: 7,
    stdout: '["generate","--json","two words"]\n',
  })
  expect(first.stderr).toContain('built dist')
  expect(readFileSync(join(project, 'dist/kernels/ops/add.wgsl'), 'utf8')).toBe('// a shader')
  expect(existsSync(join(project, 'dist/kernels/ops/add.test.js'))).toBe(false)
  expect(statSync(join(project, 'dist/cli/main.js')).mode & 0o111).toBe(0o111)
  expect(readFileSync(join(project, 'dist/cli/main.js'), 'utf8')).toMatch(
    /^#!\/usr\/bin\/env node\n/,
  )
})

it('is silent when nothing changed, and adds "serve" for npm start', async () => {
  expect(await run('serve', '--port', '0')).toEqual({
    code: 7,
    stdout: '["serve","--port","0"]\n',
    stderr: '',
  })
})

it('builds again when a source is added or removed, twice at once too', async () => {
  write('kernels/ops/more.wgsl', '// more')
  const both = await Promise.all([run('cli', 'a'), run('cli', 'b')])
  expect(both.map(({ stdout }) => stdout)).toEqual(['["a"]\n', '["b"]\n'])
  expect(both.filter(({ stderr }) => stderr.includes('building dist'))).toHaveLength(1)
  expect(existsSync(join(project, 'dist/kernels/ops/more.wgsl'))).toBe(true)
  rmSync(join(project, 'kernels/ops/more.wgsl'))
  await run('cli')
  expect(existsSync(join(project, 'dist/kernels/ops/more.wgsl'))).toBe(false)
})

it('takes over the lock of a process that died', async () => {
  write('.cache/setup.lock', '4194305')
  write('kernels/ops/again.wgsl', '// again')
  expect((await run('cli')).code).toBe(7)
  expect(existsSync(join(project, '.cache/setup.lock'))).toBe(false)
})

it('keeps the old build when the sources do not compile', async () => {
  write('cli/broken.ts', 'export const wrong: string = 1\n')
  const { code, stdout, stderr } = await run('cli')
  rmSync(join(project, 'cli/broken.ts'))
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/broken\.ts.*TS2322[\s\S]*do not compile/)
  expect(existsSync(join(project, 'dist/cli/main.js'))).toBe(true)
})

it('refuses an unknown command', async () => {
  const { code, stderr } = await run('dance')
  expect(code).toBe(1)
  expect(stderr).toContain(
    'no command "dance". Expected: node scripts/run.mjs <serve|cli|bench|test>',
  )
})
