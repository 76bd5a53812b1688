/** For tests: `illuminator batch` as a process that is killed, and what its results must be in the end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { exitCode } from './command-line.ts'

export interface Run {
  readonly child: ChildProcess
  readonly err: () => string
  readonly ended: Promise<number | null>
}

/**
 * Starts a script of this folder (or beside it) with TypeScript.
 * @param mostKilobytes as if the disk were full once a file has so many
 */
export function startScript(
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  mostKilobytes: number | 'unlimited' = 'unlimited',
): Run {
  const here = import.meta.dirname
  const loader = join(here, 'run-typescript.mjs')
  const node = [process.execPath, '--import', loader, join(here, script), ...args]
  const limited = ['-c', `ulimit -f ${mostKilobytes} && exec "$@"`, 'bash', ...node]
  const child = spawn('bash', limited, {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  child.stderr.on('data', (data) => (text += data))
  return { child, err: () => text, ended: exitCode(child) }
}

/** Ends a process as a power cut does. */
export async function killHard({ child }: Run): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  await closed
}

/** Cuts the last line in its middle: a write that the kill came into. */
export function tear(path: string): void {
  const text = readFileSync(path, 'utf8')
  const last = text.trimEnd().lastIndexOf('\n') + 1
  const cut = Math.floor((Buffer.byteLength(text) - Buffer.byteLength(text.slice(0, last))) / 2)
  if (cut > 0) truncateSync(path, statSync(path).size - cut)
}

/** Lines with a line break. */
export function countLines(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('\n').length - 1
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}

export const parsedLines = (path: string): { index: number; [name: string]: unknown }[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
