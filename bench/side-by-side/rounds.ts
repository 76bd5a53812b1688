/** The rounds: ours, a peer, ours, the next peer. Each peer is stopped by its own failures only. */
import { BenchError } from '../failure.ts'
import { type Parting, partingOf } from './agreement.ts'
import type { Opened, PeerProcess, Written } from './peer-process.ts'
import type { PromptIds } from './prompts.ts'
import { decodeRate, prefillRate } from './rates.ts'

/** Speeds that a turn brings, by the figure's name: `decode`, `prefill 32`. */
export type Rates = Readonly<Record<string, number>>

export interface Turn {
  readonly ours: Rates
  readonly theirs: Rates
}

/** What became of a peer. */
export interface Outcome {
  readonly name: string
  /** Null where it did not open. */
  readonly opened: Opened | null
  /** Seconds from a process's start to its first ids, ours beside theirs; shader caches were empty where `isCold`. */
  readonly start: { readonly ours: number; readonly theirs: number } | null
  readonly turns: readonly Turn[]
  /** Ids of the short prompt, ours beside theirs. */
  readonly ids: { readonly ours: readonly number[]; readonly theirs: readonly number[] } | null
  readonly parting: Parting | null
  /** What did not work, one line each. */
  readonly errors: readonly string[]
}

/** A peer that can be started. */
export interface Contender {
  readonly name: string
  readonly many: boolean
  /** Ids after the short prompt, and after each of many. */
  readonly tokens: number
  /** A new process; throws BenchError where what it opens is missing. */
  start(): { readonly process: PeerProcess; readonly options: object }
}

export interface RoundOptions {
  readonly prompts: PromptIds
  readonly rounds: number
  /** Seconds: for a first call, in which shaders are compiled, and for a later one. */
  readonly limits: { readonly first: number; readonly call: number }
  readonly note: (message: string) => void
}

/** Opens ours beside the peer, both anew, and runs the rounds. Throws only where our own side fails. */
export async function runPeer(
  ours: Contender,
  peer: Contender,
  options: RoundOptions,
): Promise<Outcome> {
  const { prompts, rounds, note } = options
  const errors: string[] = []
  const turns: Turn[] = []
  note(`${peer.name}: start`)
  const we = await opened(ours, peer.tokens, options)
  let they: Started | undefined
  try {
    they = await opened(peer, peer.tokens, options)
    const scenarios = scenariosOf(prompts, peer)
    for (let round = 1; round <= rounds; round++) {
      note(`${peer.name}: round ${round} of ${rounds}`)
      for (const scenario of scenarios) {
        if (scenario.isOff) continue
        const first = await ratesOf(we.process, scenario, options)
        try {
          turns.push({ ours: first, theirs: await ratesOf(they.process, scenario, options) })
        } catch (error) {
          errors.push(`${scenario.name}: ${reasonOf(error)}`)
          scenario.isOff = true
          // Killed, or dead: a new process goes on with the other scenarios.
          await they.process.close()
          they = await opened(peer, peer.tokens, options)
        }
      }
    }
  } catch (error) {
    errors.push(reasonOf(error))
  } finally {
    await we.process.close()
    await they?.process.close()
  }
  const ids = they ? { ours: we.ids, theirs: they.ids } : null
  return {
    name: peer.name,
    opened: they?.opened ?? null,
    start: they ? { ours: we.seconds, theirs: they.seconds } : null,
    turns,
    ids,
    parting: ids && partingOf(ids.ours, ids.theirs),
    errors,
  }
}

/** A failure of a peer; what is a mistake of the bench itself is thrown on. */
function reasonOf(error: unknown): string {
  if (error instanceof BenchError) return error.message
  throw error
}

interface Started {
  readonly process: PeerProcess
  readonly opened: Opened
  readonly seconds: number
  readonly ids: readonly number[]
}

/** Start, load and the first ids after the short prompt: what one waits for. */
async function opened(
  { start, tokens }: Contender,
  wanted: number,
  { prompts, limits }: RoundOptions,
): Promise<Started> {
  const began = performance.now()
  const { process, options } = start()
  try {
    const found = await process.open(options, limits.first)
    const two = await process.write([prompts.short], 2, limits.first)
    const seconds = (performance.now() - began) / 1000
    checkWritten(two, 1, 2)
    const [written] = await process.write([prompts.short], wanted || tokens, limits.first)
    return { process, opened: found, seconds, ids: written?.ids ?? [] }
  } catch (error) {
    await process.close()
    throw error
  }
}

interface Scenario {
  readonly name: string
  readonly prompts: readonly (readonly number[])[]
  readonly tokens: number
  isOff: boolean
  rates(written: readonly Written[]): Rates
}

function scenariosOf({ short, long, many }: PromptIds, { tokens, many: isMany }: Contender) {
  const alone: Scenario = {
    name: `decode @${short.length}`,
    prompts: [short],
    tokens,
    isOff: false,
    rates: (written) => ({
      [`prefill ${short.length}`]: prefillRate(short, written),
      [`decode @${short.length}`]: decodeRate(written),
    }),
  }
  const whole: Scenario = {
    name: `prefill ${long.length}`,
    prompts: [long],
    tokens: 1,
    isOff: false,
    rates: (written) => ({ [`prefill ${long.length}`]: prefillRate(long, written) }),
  }
  const together: Scenario = {
    name: `decode ${many.length} at once`,
    prompts: many,
    tokens,
    isOff: false,
    rates: (written) => ({ [`decode ${many.length} at once`]: decodeRate(written) }),
  }
  return isMany ? [alone, together, whole] : [alone, whole]
}

async function ratesOf(
  process: PeerProcess,
  { prompts, tokens, rates }: Scenario,
  { limits }: RoundOptions,
): Promise<Rates> {
  const written = await process.write(prompts, tokens, limits.call)
  checkWritten(written, prompts.length, tokens)
  return rates(written)
}

/** Throws BenchError where other ids came than were asked for: too few would be a speed of nothing. */
function checkWritten(written: readonly Written[], prompts: number, tokens: number): void {
  const counts = written.map(({ ids }) => ids.length)
  if (counts.length === prompts && counts.every((count) => count === tokens)) return
  throw new BenchError(`it wrote ${counts.join(', ')} ids, asked for ${prompts} times ${tokens}`)
}
