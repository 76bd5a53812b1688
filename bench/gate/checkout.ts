/** The sources of a commit or of another checkout as JavaScript in a temporary folder of this one, whose packages they find. */
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { BenchError } from '../failure.ts'
import { historyPlace } from '../history.ts'
import { type KernelVersion, loadVersion } from './version.ts'

/** What the gate loads, and what that imports. */
const FOLDERS = ['kernels', 'bench'] as const

/** Hands the kernels of a commit or folder to `use`. Throws BenchError outside of a checkout and for what is neither. */
export async function withVersion<T>(
  of: string,
  use: (version: KernelVersion) => Promise<T>,
): Promise<T> {
  const { checkout } = historyPlace()
  if (checkout === null) {
    throw new BenchError('Only a checkout has other versions of its kernels: clone the repository.')
  }
  mkdirSync(join(checkout, '.bench'), { recursive: true })
  const folder = mkdtempSync(join(checkout, '.bench', 'against-'))
  try {
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
    if (existsSync(join(of, 'kernels'))) copySources(of, folder)
    else exportCommit(checkout, of, folder)
    await toJavaScript(folder)
    return await use(await loadVersion(of, folder))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function copySources(from: string, to: string): void {
  for (const name of FOLDERS) {
    if (existsSync(join(from, name))) cpSync(join(from, name), join(to, name), { recursive: true })
  }
}

function exportCommit(checkout: string, commit: string, to: string): void {
  try {
    const archive = execFileSync('git', ['archive', '--format=tar', commit, '--', ...FOLDERS], {
      cwd: checkout,
      maxBuffer: 2 ** 30,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    execFileSync('tar', ['-x', '-C', to], { input: archive, stdio: ['pipe', 'ignore', 'pipe'] })
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw new BenchError(`${commit} is neither a folder with kernels nor a commit: ${said}`, {
      cause,
    })
  }
}

/** Types are stripped, and imports name the new files. */
async function toJavaScript(folder: string): Promise<void> {
  const { default: ts } = await import('typescript')
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2023,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
  }
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith('.ts')) continue
    const file = join(entry.parentPath ?? entry.path, entry.name)
    const source = readFileSync(file, 'utf8')
    rmSync(file)
    if (/\.(test|d)\.ts$/.test(entry.name)) continue
    writeFileSync(
      file.replace(/\.ts$/, '.js'),
      ts.transpileModule(source, { compilerOptions }).outputText,
    )
  }
}
