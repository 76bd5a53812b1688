/** `bench peers`: other engines beside ours, on the same machine and adapter, in turns. */
import { loadavg } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { BenchError } from '../failure.ts'
import { historyPlace } from '../history.ts'
import { measure, note, type Part, say } from '../measure.ts'
import { outcomeLines } from '../report/peers-lines.ts'
import { missedLine, wantedTable } from '../report/wanted-table.ts'
import { checkInstalled, installPeers } from '../side-by-side/installed.ts'
import { benchPeers, FULL_PEERS, SHORT_PEERS } from '../suites/peers.ts'
import { type SuiteOptions, suiteCommand } from './options.ts'

interface PeersCommandOptions extends SuiteOptions {
  only?: string
  install?: boolean
  warm?: boolean
}

export const peersCommand = (): Command =>
  suiteCommand('peers', 'Other engines beside ours, in turns; needs a checkout.')
    .option('--only <text>', 'peers with this text in their name')
    .option('--install', "installs the peers' packages first, in bench/peers")
    .option('--warm', 'with the shaders that this machine has compiled before: no cold start')
    .action((options: PeersCommandOptions) => measure([peersPart], options))

async function peersPart(options: PeersCommandOptions): Promise<Part> {
  const { checkout } = historyPlace()
  if (checkout === null) {
    throw new BenchError('Peers are no part of the package: run this in a checkout of the sources.')
  }
  const folder = join(checkout, 'bench', 'peers')
  if (options.install) await installPeers(folder)
  checkInstalled(folder)
  const sizes = options.full ? FULL_PEERS : SHORT_PEERS
  const suite = await benchPeers({
    ...sizes,
    rounds: options.repeats ?? sizes.rounds,
    checkout,
    adapter: options.adapter,
    only: options.only,
    isCold: !options.warm,
    note,
  })
  const { adapter, driver, weights, outcomes, figures } = suite
  const [load = 0] = loadavg()
  say(`\nPeers beside SmolLM2-135M-Instruct (${weights}) on ${adapter} (${driver})`)
  say(`Load of the machine at the end, its own included: ${load.toFixed(1)}\n`)
  for (const line of outcomes.flatMap(outcomeLines)) say(line)
  if (figures.length > 0) say(`\n${wantedTable(figures)}\n\n${missedLine(figures)}`)
  say('Ratios are ours over theirs, turn by turn; of a start, theirs over ours: more is better.')
  return { what: 'peers SmolLM2-135M-Instruct', adapter, driver, figures, failures: [] }
}
