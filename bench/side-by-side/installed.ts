/** The peers' packages: they lie in `bench/peers` with a lock file of their own, and come only when asked for. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { BenchError } from '../failure.ts'

const HOW = 'npm run bench -- peers --install'

/** Throws BenchError saying how they are installed. */
export function checkInstalled(folder: string): void {
  if (existsSync(join(folder, 'node_modules', '.package-lock.json'))) return
  throw new BenchError(
    `The peers' packages are not installed (1.3 GB, in bench/peers only). Install them with: ${HOW}`,
  )
}

/**
 * `npm ci` without install scripts: what they fetch is not needed here, and comes from elsewhere than the registry.
 * Throws BenchError.
 */
export async function installPeers(folder: string): Promise<void> {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  const child = spawn('npm', args, { cwd: folder, stdio: ['ignore', 2, 2] })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0) throw new BenchError('"npm ci" failed in bench/peers (see above).')
}
