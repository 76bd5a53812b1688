/** Other engines beside ours: the same model, prompts, lengths and adapter, a process each, in turns. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Engine } from '../../engine/index.ts'
import { loadingFlags } from '../../engine/worker/loading-flags.ts'
import { inspectMachine } from '../../kernels/gpu/machine.ts'
import { driverNamed } from '../driver-name.ts'
import { BenchError } from '../failure.ts'
import type { Figure } from '../figures.ts'
import { type Judged, judge, marginOf } from '../side-by-side/agreement.ts'
import { PEERS, type Peer } from '../side-by-side/list.ts'
import { type Materials, prepareMaterials } from '../side-by-side/materials.ts'
import { startPeer } from '../side-by-side/peer-process.ts'
import { type PromptIds, promptIds } from '../side-by-side/prompts.ts'
import { type Contender, type Outcome, runPeer } from '../side-by-side/rounds.ts'
import { AIMS, type Aims, figuresOf } from '../side-by-side/summary.ts'

export interface PeersOptions {
  readonly checkout: string
  readonly adapter: string | undefined
  /** Only peers with this text in their name. */
  readonly only: string | undefined
  /** Both sides find an empty shader cache. */
  readonly isCold: boolean
  readonly rounds: number
  /** Decoded after each prompt, by where the peer runs. */
  readonly tokens: { readonly gpu: number; readonly cpu: number }
  /** Seconds: of a first call, in which shaders are compiled; of a later one. */
  readonly limits: { readonly first: number; readonly call: number }
  readonly note: (message: string) => void
}

export const SHORT_PEERS = {
  rounds: 3,
  tokens: { gpu: 12, cpu: 48 },
  limits: { first: 400, call: 40 },
}
export const FULL_PEERS = {
  rounds: 5,
  tokens: { gpu: 32, cpu: 128 },
  limits: { first: 900, call: 240 },
}

export interface PeersBench {
  readonly adapter: string
  readonly driver: string
  readonly weights: string
  readonly outcomes: readonly Judged[]
  readonly figures: Figure[]
}

interface Ground {
  readonly adapter: string
  readonly driver: string
  readonly weights: string
  readonly prompts: PromptIds
}

/** Throws EngineError, BenchError where our own side fails; what fails of a peer is in its outcome. */
export async function benchPeers(options: PeersOptions): Promise<PeersBench> {
  const { checkout, note, only = '' } = options
  const peers = PEERS.filter(({ name }) => name.toLowerCase().includes(only.toLowerCase()))
  if (peers.length === 0) throw new BenchError(`No peer has "${only}" in its name.`)
  const materials = await prepareMaterials(checkout, note)
  const ground = await lookAt(materials, options)
  const outcomes: Outcome[] = []
  for (const peer of peers) outcomes.push(await runBeside(peer, materials, ground, options))
  const margins = await marginsOf(outcomes, materials, ground, options)
  const judged = outcomes.map((outcome, i) =>
    judge(outcome, (peers[i] as Peer).sameWeights, margins[i] as number),
  )
  const aimsOf = ({ on }: Peer): Aims => (options.isCold ? AIMS[on] : { ...AIMS[on], start: null })
  const figures = judged.flatMap((one, i) => figuresOf(one, aimsOf(peers[i] as Peer)))
  return { ...ground, outcomes: judged, figures }
}

/** Which adapter it is, and the prompts' ids. */
async function lookAt({ folder }: Materials, options: PeersOptions): Promise<Ground> {
  return withEngine(folder, options, async (engine) => {
    const { adapter } = engine.stats
    return {
      adapter: adapter.name,
      driver: driverNamed(adapter),
      weights: engine.info.weights,
      prompts: promptIds((text) => engine.tokenize(text, { specialTokens: false })),
    }
  })
}

async function withEngine<T>(
  folder: string,
  { adapter }: PeersOptions,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await Engine.load(folder, adapter ? { adapter } : {})
  try {
    return await use(engine)
  } finally {
    await engine.close()
  }
}

async function runBeside(
  peer: Peer,
  materials: Materials,
  { driver, prompts }: Ground,
  options: PeersOptions,
): Promise<Outcome> {
  const cache = await mkdtemp(join(tmpdir(), 'illuminator-peers-'))
  // Shaders are compiled anew on both sides: an empty cache each.
  const cold = (whose: string): NodeJS.ProcessEnv =>
    peer.on === 'gpu' && options.isCold ? { MESA_SHADER_CACHE_DIR: join(cache, whose) } : {}
  const tokens = options.tokens[peer.on]
  const ours: Contender = {
    name: 'ours',
    many: true,
    tokens,
    start: () => ({
      process: startPeer({
        script: ourScript(),
        env: { ...process.env, ...cold('ours') },
        execArgv: loadingFlags(process.execArgv),
      }),
      options: { model: materials.folder, adapter: options.adapter },
    }),
  }
  const they: Contender = {
    name: peer.name,
    many: peer.many,
    tokens,
    start: () => {
      const opens = peer.options(materials)
      const env = { ...process.env, ...cold('theirs'), ...sameAdapter(peer, driver) }
      const script = join(options.checkout, 'bench', 'peers', peer.script)
      return { process: startPeer({ script, env }), options: opens }
    },
  }
  try {
    return await runPeer(ours, they, { ...options, prompts })
  } finally {
    await rm(cache, { recursive: true, force: true })
  }
}

const ourScript = (): string =>
  fileURLToPath(new URL(`../side-by-side/ours${extname(import.meta.url)}`, import.meta.url))

/** Drivers that a peer sees: the one that we run on. llama.cpp takes a processor for a device only when it is named. */
function sameAdapter({ on }: Peer, driver: string): NodeJS.ProcessEnv {
  if (on === 'cpu' || driver === 'gpu') return {}
  if (driver !== 'lavapipe') throw new BenchError(`Peers cannot run on ${driver}: name lavapipe.`)
  const { lavapipeManifest } = inspectMachine()
  return { VK_ICD_FILENAMES: lavapipeManifest ?? undefined, GGML_VK_VISIBLE_DEVICES: '0' }
}

/** How far our logits are apart where a peer's ids part from ours; NaN where they do not. */
function marginsOf(
  outcomes: readonly Outcome[],
  { folder }: Materials,
  { prompts }: Ground,
  options: PeersOptions,
): Promise<number[]> {
  return withEngine(folder, options, async (engine) => {
    const margins: number[] = []
    for (const { ids, parting } of outcomes) {
      if (!ids || !parting) {
        margins.push(Number.NaN)
        continue
      }
      const before = [...prompts.short, ...ids.ours.slice(0, parting.at)]
      margins.push(marginOf(parting, (await engine.logits(before)).last))
    }
    return margins
  })
}
