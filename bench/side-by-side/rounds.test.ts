/** Peers that fail, in any way, are told and stop nobody; peers that run are timed in turns with ours. */
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { BenchError } from '../failure.ts'
import { type PeerProcess, startPeer } from './peer-process.ts'
import { type Contender, type Outcome, runPeer } from './rounds.ts'

const SCRIPT = fileURLToPath(new URL('../fixtures/made-up-peer.mjs', import.meta.url))
const PROMPTS = { short: [1, 2], long: [1, 2], many: [[1], [2]] }

const contender = (name: string, options: object): Contender => ({
  name,
  many: true,
  tokens: 4,
  start: () => ({ process: startPeer({ script: SCRIPT, env: process.env }), options }),
})

const OPTIONS = { prompts: PROMPTS, rounds: 2, limits: { first: 30, call: 30 }, note: () => {} }

const run = (peer: Contender, ours: Contender = contender('ours', {})): Promise<Outcome> =>
  runPeer(ours, peer, OPTIONS)

it('times a peer in turns with ours, every scenario in every round', async () => {
  const { opened, turns, errors, ids, parting } = await run(contender('peer', {}))
  expect(opened).toEqual({ version: '1', device: 'd', weights: 'w' })
  expect(errors).toEqual([])
  expect(parting).toBeNull()
  expect(ids).toEqual({ ours: [2, 2, 2, 2], theirs: [2, 2, 2, 2] })
  const names = turns.map(({ theirs }) => Object.keys(theirs).join(' and '))
  const round = ['prefill 2 and decode @2', 'decode 2 at once', 'prefill 2']
  expect(names).toEqual([...round, ...round])
  expect(turns[0]).toEqual({
    ours: { 'prefill 2': 200, 'decode @2': 200 },
    theirs: { 'prefill 2': 200, 'decode @2': 200 },
  })
})

it.each([
  ['says', 'no such model'],
  ['dies', 'its process ended with code 3: Error: libmissing.so: cannot open'],
])('tells of a peer that %s so when it opens, and goes on', async (fails, error) => {
  const { opened, start, turns, errors } = await run(contender('peer', { fails }))
  expect({ opened, start, turns, errors }).toEqual({
    opened: null,
    start: null,
    turns: [],
    errors: [error],
  })
})

it('kills a peer that hangs, and says how long it waited', async () => {
  const limits = { first: 1, call: 1 }
  const hangs = contender('peer', { fails: 'hangs' })
  const { opened, errors } = await runPeer(inProcess(), hangs, { ...OPTIONS, limits })
  expect({ opened, errors }).toEqual({ opened: null, errors: ['not done within 1 s'] })
})

it('tells of a peer whose model is missing before it starts', async () => {
  const start = (): never => {
    throw new BenchError('no ONNX model')
  }
  expect((await run({ ...contender('peer', {}), start })).errors).toEqual(['no ONNX model'])
})

it('leaves out what does not work, and times the rest', async () => {
  // More than two ids, and the made-up peer writes nothing.
  const prompts = { ...PROMPTS, many: [[1, 2, 3], [1]] }
  const { turns, errors } = await runPeer(inProcess(), contender('peer', {}), {
    ...OPTIONS,
    prompts,
  })
  expect(errors).toEqual(['decode 2 at once: it wrote 0, 4 ids, asked for 2 times 4'])
  const names = turns.map(({ theirs }) => Object.keys(theirs).join(' and '))
  const round = ['prefill 2 and decode @2', 'prefill 2']
  expect(names).toEqual([...round, ...round])
})

it('throws where our own side fails: without it there is nothing to compare', async () => {
  const ours = contender('ours', { fails: 'says' })
  await expect(run(contender('peer', {}), ours)).rejects.toThrow('no such model')
})

const inProcess = (): Contender => ({
  ...contender('ours', {}),
  start: () => ({ process: writer(), options: {} }),
})

/** Writes what it is asked for, in no process. */
const writer = (): PeerProcess => ({
  open: async () => ({ version: '', device: '', weights: '' }),
  write: async (prompts, tokens) =>
    prompts.map(() => {
      const each = Array.from({ length: tokens }, (_, i) => i)
      return { ids: each, times: each.map((i) => 10 + i) }
    }),
  close: async () => {},
})
