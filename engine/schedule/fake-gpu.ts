/**
 * For tests of the scheduler: a GPU that computes nothing but remembers, for every place of the KV cache, which prefix it
 * holds. A "model" whose next token is a function of the whole prefix gives wrong tokens as soon as one page is wrong;
 * and every row checks every place it would attend to.
 */
import { type KvGroup, NONE } from './kv-group.ts'
import type { PageCopy } from './kv-space.ts'
import type { Request } from './request.ts'
import type { Outcome, Run, Step } from './step.ts'

const PAGE = 16
/** Ids of the model go from 0 to here. */
export const VOCABULARY = 40

const mix = (hash: number, id: number): number => {
  let x = Math.imul(hash ^ (id + 0x9e3779b9), 0x85ebca6b) >>> 0
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0
  return (x ^ (x >>> 16)) >>> 0
}
const seedOf = (salt: string): number => [...salt].reduce((h, c) => mix(h, c.charCodeAt(0)), 1)

/** Prefix hashes of a sequence: [i] stands for ids 0 … i. */
const hashesOf = (salt: string, ids: readonly number[]): number[] => {
  let hash = seedOf(salt)
  return ids.map((id) => (hash = mix(hash, id)))
}

/** The model: the id after a prefix. Repetitive, so that drafts are right now and then. */
const nextId = (hash: number): number => (hash % 5 === 0 ? hash % VOCABULARY : hash % 3)

/** What a request must generate, whatever happens around it. */
export function continuation(request: Request): { ids: number[]; ending: 'stop' | 'length' } {
  const { salt, maxTokens, stopIds } = request.options
  const ids = [...request.prompt]
  let hash = hashesOf(salt, ids).at(-1)!
  for (;;) {
    const id = nextId(hash)
    if (stopIds.has(id)) return { ids: ids.slice(request.prompt.length), ending: 'stop' }
    ids.push(id)
    hash = mix(hash, id)
    if (ids.length - request.prompt.length >= maxTokens) {
      return { ids: ids.slice(request.prompt.length), ending: 'length' }
    }
  }
}

export class FakeGpu {
  /** Prefix hash by group and place (page * 16 + token). */
  readonly #kv: readonly Map<number, number>[]
  /** By group and slot. */
  readonly #tables: readonly Map<number, number[]>[]
  readonly #latest = new Map<number, number>()
  readonly #windows: readonly number[]
  /** Places that rows have read, all groups together. */
  read = 0

  constructor(groups: readonly KvGroup[]) {
    this.#windows = groups.map(({ window }) => window)
    this.#kv = groups.map(() => new Map())
    this.#tables = groups.map(() => new Map())
  }

  /** Runs a step at the moment it is launched. Throws when a row would read a wrong place. */
  run(step: Step): Outcome[] {
    for (const { request, copies } of step.started) {
      const { slot, tables } = request.residence!
      tables.forEach(({ pages }, group) => {
        this.#tables[group]!.set(slot, [...pages])
      })
      for (const copy of copies) this.#copy(copy)
    }
    // As in the runner: entries of a step come behind whole tables.
    for (const { slot, group, index, page } of step.tables) this.#table(group, slot)[index] = page
    const inputs = step.runs.map((run) => this.#inputsOf(run))
    // All rows write before any reads: within a layer, keys and values come before attention.
    for (const [i, run] of step.runs.entries()) this.#write(run, inputs[i]!)
    return step.runs.map((run, i) => this.#sample(run, inputs[i]!))
  }

  #table(group: number, slot: number): number[] {
    const tables = this.#tables[group]!
    const table = tables.get(slot) ?? []
    tables.set(slot, table)
    return table
  }

  #copy({ group, from, to }: PageCopy): void {
    const kv = this.#kv[group]!
    for (let token = 0; token < PAGE; token++) {
      const hash = kv.get(from * PAGE + token)
      if (hash === undefined) kv.delete(to * PAGE + token)
      else kv.set(to * PAGE + token, hash)
    }
  }

  /** Ids of the whole sequence up to the run's last row. */
  #inputsOf(run: Run): number[] {
    const { request, position, ids, drafts } = run
    const known = request.tokens.slice(0, position)
    // Before a row whose id is on the GPU, the sequence is what the model has chosen so far.
    while (known.length < position) {
      known.push(nextId(hashesOf(request.options.salt, known).at(-1)!))
    }
    const own = ids.length > 0 ? ids : [this.#latest.get(run.slot)!]
    return [
      ...known,
      ...own,
      ...(drafts.ids ?? this.#guess(request, [...known, ...own], drafts.count)),
    ]
  }

  /** A draft model: right in most places. */
  #guess({ options }: Request, ids: readonly number[], count: number): number[] {
    const all = [...ids]
    for (let i = 0; i < count; i++) {
      const hash = hashesOf(options.salt, all).at(-1)!
      all.push(hash % 7 === 0 ? (nextId(hash) + 1) % VOCABULARY : nextId(hash))
    }
    return all.slice(ids.length)
  }

  #place(group: number, slot: number, position: number): number {
    const page = this.#table(group, slot)[Math.floor(position / PAGE)] ?? NONE
    if (page === NONE) throw new Error(`Slot ${slot} has no page for position ${position}.`)
    return page * PAGE + (position % PAGE)
  }

  #write({ request, slot, position }: Run, ids: readonly number[]): void {
    const hashes = hashesOf(request.options.salt, ids)
    this.#kv.forEach((kv, group) => {
      for (let p = position; p < ids.length; p++) kv.set(this.#place(group, slot, p), hashes[p]!)
    })
  }

  #sample(run: Run, ids: readonly number[]): Outcome {
    const { request, slot, picks, rows, drafts } = run
    const hashes = hashesOf(request.options.salt, ids)
    this.#windows.forEach((window, group) => {
      // All that the first row of the run sees, and what lies behind.
      for (let p = window > 0 ? Math.max(0, run.position + 1 - window) : 0; p < ids.length; p++) {
        this.read++
        if (this.#kv[group]!.get(this.#place(group, slot, p)) === hashes[p]) continue
        throw new Error(`Position ${p} of a sequence in slot ${slot} reads somebody else's place.`)
      }
    })
    const chosen = hashes.slice(ids.length - picks).map(nextId)
    if (rows === 1 && chosen.length === 1) this.#latest.set(slot, chosen[0]!)
    else if (chosen.length > 0) this.#latest.set(slot, chosen.at(-1)!)
    return { ids: chosen, ...(drafts.ids ? {} : { drafts: ids.slice(ids.length - drafts.count) }) }
  }
}
