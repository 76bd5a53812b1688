#!/usr/bin/env node
/**
 * Adds to `package-lock.json` the optional packages of other platforms that npm left out because the registry in use
 * does not serve them: `npm ci` refuses a lock file without them, on every machine. Run it after `npm install X`, with
 * the folder of the lock file where that is not the root (`bench/peers`).
 * Their platform is read off their names, so that npm skips them elsewhere; they have no hash, as none was seen here.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, say } from './project.mjs'

const SYSTEMS = [
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'win32',
]
/** Words that packages use for them. */
const ALIASES = { mac: 'darwin', win: 'win32' }
const PROCESSORS = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64', 'wasm32']

const file = join(root, process.argv[2] ?? '', 'package-lock.json')
const lock = JSON.parse(readFileSync(file, 'utf8'))
let added = 0
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`
    if (lock.packages[path]) continue
    if (!/^\d+\.\d+\.\d+$/.test(version))
      throw new Error(`${name} ${version}: no exact version to lock`)
    lock.packages[path] = {
      version,
      ...platformOf(name),
      ...(parent.dev && { dev: true }),
      optional: true,
    }
    added++
  }
}
if (added > 0) {
  const { '': project, ...packages } = lock.packages
  const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'))
  lock.packages = { '': project, ...Object.fromEntries(sorted) }
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
}
say(`package-lock.json: ${added} packages of other platforms added`)

function platformOf(name) {
  const words = name.split(/[/-]/).map((word) => ALIASES[word] ?? word)
  const os = SYSTEMS.find((system) => words.includes(system))
  const cpu = PROCESSORS.find((processor) => words.includes(processor))
  if (!os || !cpu)
    throw new Error(`${name}: its name tells no platform, add it to package-lock.json by hand`)
  const libc = name.includes('musl') ? 'musl' : 'glibc'
  return { cpu: [cpu], ...(os === 'linux' && { libc: [libc] }), os: [os] }
}
