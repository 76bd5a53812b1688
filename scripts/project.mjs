/**
 * The state of a checkout, for `run.mjs` and `build.mjs`: are the packages of the lock file installed, is `dist` what
 * the sources would give, and one lock so that two starts at once do not tread on each other.
 */
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** Ignored by git, and never part of the package. */
export const cache = join(root, '.cache')

const SOURCES = ['bench', 'cli', 'engine', 'kernels', 'server', 'tokenizer', 'web']
const NOT_BUILT = new Set(['fixtures', 'node_modules', 'peers', '__pycache__'])
const STATIC = /\.(wgsl|json|html|css|js|svg|png|txt|jinja)$/

/** Messages go to stderr: stdout belongs to the command that runs. */
export function say(message) {
  process.stderr.write(`illuminator: ${message}\n`)
}

/** Files that make `dist`, as paths below the root: TypeScript without tests, and files copied as they are. */
export function sourceFiles() {
  const files = SOURCES.flatMap((folder) => walk(join(root, folder)))
    .map((path) => relative(root, path))
    .filter((path) => !/\.test\.\w+$/.test(path))
    .sort()
  return {
    compiled: files.filter((path) => path.endsWith('.ts')),
    copied: files.filter((path) => STATIC.test(path)),
  }
}

/** A digest that changes when a source is edited, added or removed. */
export function sourceStamp() {
  const { compiled, copied } = sourceFiles()
  const hash = createHash('sha256')
  const config = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'scripts/build.mjs',
  ]
  for (const path of [...compiled, ...copied, ...config]) {
    hash.update(`${path}\0`).update(readFileSync(join(root, path)))
  }
  return hash.digest('hex')
}

/** Whether `dist` was built from the sources as they are now. */
export function isBuilt() {
  const stamp = join(cache, 'built')
  if (!existsSync(stamp) || !existsSync(join(root, 'dist'))) return false
  return readFileSync(stamp, 'utf8') === sourceStamp()
}

/** Why packages must be installed, or null when `node_modules` holds what the lock file asks for. */
export function missingPackages() {
  const installed = join(root, 'node_modules', '.package-lock.json')
  const lock = join(root, 'package-lock.json')
  if (!existsSync(installed)) return 'no packages are installed yet'
  if (statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return null
  const wanted = JSON.parse(readFileSync(lock, 'utf8')).packages
  const have = JSON.parse(readFileSync(installed, 'utf8')).packages
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    if (path === '' || (optional && !have[path])) continue
    if (have[path]?.version !== version)
      return `${path} ${version} is in package-lock.json but not installed`
  }
  return null
}

/** Runs `work` while no other process of this checkout does. The lock of a process that died is taken over. */
export async function locked(work) {
  const lock = join(cache, 'setup.lock')
  mkdirSync(cache, { recursive: true })
  for (let waited = 0; ; waited++) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (!isHeld(lock)) rmSync(lock, { force: true })
    else if (waited % 50 === 0)
      say(`another process sets up this checkout; waiting for it (${lock})`)
    await sleep(200)
  }
  try {
    return await work()
  } finally {
    rmSync(lock, { force: true })
  }
}

function isHeld(lock) {
  try {
    const pid = Number(readFileSync(lock, 'utf8'))
    // Empty: its owner is about to write its id.
    if (pid === 0) return Date.now() - statSync(lock).mtimeMs < 2_000
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function walk(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return NOT_BUILT.has(entry.name) ? [] : walk(path)
    return entry.isFile() ? [path] : []
  })
}
