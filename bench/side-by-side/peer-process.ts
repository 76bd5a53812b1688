/** A peer in a process of its own: calls with a time limit, and in words why one failed. */
import { type ChildProcess, fork } from 'node:child_process'
import { BenchError } from '../failure.ts'

/** Ids that a prompt was continued by, and when each came: milliseconds since the call. */
export interface Written {
  readonly ids: readonly number[]
  readonly times: readonly number[]
}

/** What really runs. */
export interface Opened {
  readonly version: string
  readonly device: string
  readonly weights: string
}

/** What the rounds need of a peer; tests hand in a stand-in. */
export interface PeerProcess {
  open(options: object, seconds: number): Promise<Opened>
  write(
    prompts: readonly (readonly number[])[],
    tokens: number,
    seconds: number,
  ): Promise<Written[]>
  /** Never throws: a peer that does not end by itself is killed. */
  close(): Promise<void>
}

interface Start {
  readonly script: string
  readonly env: NodeJS.ProcessEnv
  readonly execArgv?: readonly string[]
}

interface Answer {
  readonly value?: unknown
  readonly error?: string
}

/** Milliseconds in which a peer may end. */
const FAREWELL = 5000
/** Milliseconds in which its last lines arrive. */
const LAST_WORDS = 100
/** Characters kept of what it prints: the end tells why it died. */
const KEPT = 4000

/** Starts the script, which answers as `bench/peers/answer.mjs` says. */
export function startPeer({ script, env, execArgv = [] }: Start): PeerProcess {
  const child = fork(script, [], {
    env,
    execArgv: [...execArgv],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-KEPT)
    })
  }
  const call = (name: string, args: readonly unknown[], seconds: number): Promise<unknown> =>
    ask(child, { call: name, args }, seconds, () => printed)
  return {
    open: async (options, seconds) => (await call('open', [options], seconds)) as Opened,
    write: async (prompts, tokens, seconds) =>
      (await call('write', [prompts, tokens], seconds)) as Written[],
    close: () => end(child, () => call('close', [], FAREWELL / 1000)),
  }
}

/** Throws BenchError: what the peer said, how it died, or that it took too long, after which it is killed. */
function ask(
  child: ChildProcess,
  message: object,
  seconds: number,
  printed: () => string,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => done(() => reject(new BenchError(why)))
    // What it printed last may still be on its way.
    const onExit = (): void => void setTimeout(() => fail(deathOf(child, printed())), LAST_WORDS)
    const onMessage = ({ value, error }: Answer): void => {
      if (error === undefined) done(() => resolve(value))
      else fail(error)
    }
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      fail(`not done within ${seconds} s`)
    }, seconds * 1000)
    const done = (settle: () => void): void => {
      clearTimeout(timer)
      child.off('message', onMessage).off('exit', onExit).off('error', onExit)
      settle()
    }
    if (!child.connected) return onExit()
    child.on('message', onMessage).on('exit', onExit).on('error', onExit)
    child.send(message, (error) => {
      if (error) fail(deathOf(child, printed()))
    })
  })
}

/** How a process ended, with the last lines that say something. */
function deathOf({ exitCode, signalCode }: ChildProcess, printed: string): string {
  const how = signalCode ? `signal ${signalCode}` : `code ${exitCode ?? 'unknown'}`
  const lines = printed.split('\n').filter((line) => line.trim() !== '')
  const told = lines.find((line) => /error/i.test(line)) ?? lines.at(-1)
  return `its process ended with ${how}${told ? `: ${told.trim().slice(0, 300)}` : ''}`
}

async function end(child: ChildProcess, farewell: () => Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  // Its figures are there: a peer that cannot say farewell is only killed.
  await farewell().catch(() => {})
  if (child.connected) child.disconnect()
  const timer = setTimeout(() => child.kill('SIGKILL'), FAREWELL)
  await ended
  clearTimeout(timer)
}
