#!/usr/bin/env node
/**
 * Builds `dist` from clean: plain `tsc`, then the `.wgsl` and other static files copied beside. The new folder takes
 * the old one's place by a rename, so a failed or interrupted build leaves the old one.
 */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cache, locked, root, say, sourceFiles, sourceStamp } from './project.mjs'

/** Builds `dist`; the caller holds the lock. Throws when a source does not compile. */
export async function build() {
  const started = Date.now()
  say('building dist …')
  mkdirSync(cache, { recursive: true })
  const work = mkdtempSync(join(cache, 'build-'))
  try {
    const stamp = sourceStamp()
    const fresh = join(work, 'dist')
    await compile(fresh)
    for (const path of sourceFiles().copied) {
      mkdirSync(dirname(join(fresh, path)), { recursive: true })
      cpSync(join(root, path), join(fresh, path))
    }
    const cli = join(fresh, 'cli', 'main.js')
    if (existsSync(cli)) chmodSync(cli, 0o755)
    const dist = join(root, 'dist')
    if (existsSync(dist)) renameSync(dist, join(work, 'old'))
    renameSync(fresh, dist)
    writeFileSync(join(cache, 'built'), stamp)
    say(`built dist in ${((Date.now() - started) / 1000).toFixed(1)} s`)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function compile(folder) {
  const tsc = createRequire(join(root, 'package.json')).resolve('typescript/bin/tsc')
  const options = ['-p', join(root, 'tsconfig.build.json'), '--outDir', folder]
  // tsc reports on stdout, which belongs to the command that runs after the build.
  const child = spawn(process.execPath, [tsc, ...options], { cwd: root, stdio: ['ignore', 2, 2] })
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject).on('close', resolve)
  })
  if (code !== 0) throw new Error('the sources do not compile (see above); dist is unchanged')
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await locked(build).catch((error) => {
    say(error.message)
    process.exitCode = 1
  })
}
