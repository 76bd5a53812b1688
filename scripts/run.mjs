#!/usr/bin/env node
/**
 * What `npm start`, `npm run cli`, `npm run bench` and `npm test` call: checks Node, installs missing packages, builds
 * when sources changed, then runs the command. Works from a clean clone, as root or not, with a terminal or not.
 * Prints on stderr only. Our own commands run in this very process, so signals and exit codes are theirs.
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const OLDEST_NODE = [20, 11]
const MAINS = { serve: 'cli/main.js', cli: 'cli/main.js', bench: 'bench/main.js' }

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  process.stderr.write(
    `illuminator: this is Node ${process.versions.node}; it needs ${OLDEST_NODE.join('.')} or newer. Install it from https://nodejs.org or with your version manager (nvm install 22).\n`,
  )
  process.exit(1)
}
const { isBuilt, locked, missingPackages, root, say } = await import('./project.mjs')

const [command = '', ...args] = process.argv.slice(2)
try {
  if (command === 'test') {
    await prepare({ needsBuild: false })
    const require = createRequire(join(root, 'package.json'))
    const vitest = join(require.resolve('vitest/package.json'), '..', 'vitest.mjs')
    process.exitCode = await run(process.execPath, [vitest, 'run', ...args], 'inherit')
  } else if (Object.hasOwn(MAINS, command)) {
    await prepare({ needsBuild: true })
    const main = join(root, 'dist', MAINS[command])
    process.argv = [process.execPath, main, ...(command === 'serve' ? ['serve'] : []), ...args]
    await import(pathToFileURL(main).href)
  } else {
    say(
      `no command "${command}". Expected: node scripts/run.mjs <serve|cli|bench|test> [arguments]`,
    )
    process.exitCode = 1
  }
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.exitCode = 1
}

async function prepare({ needsBuild }) {
  if (!missingPackages() && (!needsBuild || isBuilt())) return
  await locked(async () => {
    const reason = missingPackages()
    if (reason) await install(reason)
    if (needsBuild && !isBuilt()) await (await import('./build.mjs')).build()
  })
}

async function install(reason) {
  const started = Date.now()
  const seconds = () => `${Math.round((Date.now() - started) / 1000)} s`
  say(`${reason}; installing them with "npm ci" …`)
  const ticker = setInterval(() => say(`still installing packages (${seconds()})`), 5_000)
  try {
    const own = process.env.npm_execpath?.endsWith('npm-cli.js') ? process.env.npm_execpath : null
    const options = ['ci', '--no-fund', '--no-audit', '--include=dev']
    const stdio = ['ignore', 2, 2]
    const code = own
      ? await run(process.execPath, [own, ...options], stdio)
      : await run('npm', options, stdio)
    if (code !== 0)
      throw new Error('"npm ci" failed (see above): check network and registry, then try again')
    say(`installed packages in ${seconds()}`)
  } finally {
    clearInterval(ticker)
  }
}

/** Runs a program to its end; its exit code, or 128 + the signal that ended it. Signals are passed on to it. */
async function run(program, parameters, stdio) {
  const child = spawn(program, parameters, { cwd: root, stdio })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  // A terminal sends Ctrl-C to the whole group already; twice would read as "at once".
  const forward = (signal) =>
    signal === 'SIGINT' && process.stdin.isTTY ? null : child.kill(signal)
  for (const signal of signals) process.on(signal, forward)
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 1)))
    })
  } finally {
    for (const signal of signals) process.off(signal, forward)
  }
}
