/** What a decoded token costs the host, beside what is wanted of it. */
import type { Figure, Wanted } from '../figures.ts'
import { type Spread, spreadOf } from '../statistics.ts'
import type { HostTimes } from '../stopwatch.ts'
import type { Arrival, Decoded } from './decoding.ts'

/** Milliseconds a layer that the host may take to encode a token, submit aside. */
const ENCODE = 0.8 / 30

/** Stretches of tokens that a token's time is the mean over: steps may be launched, and their ids come, several at once. */
const STRETCHES = 4

/**
 * @param times of a token's step that was encoded and submitted where the adapter was idle
 * @param layerDispatches dispatches of all layers: five each, and the norm before the first, are wanted
 */
export function hostFigures(
  { launches, arrivals }: Pick<Decoded, 'launches' | 'arrivals'>,
  times: readonly HostTimes[],
  layerDispatches: number,
  layers: number,
): Figure[] {
  const calls = (...kinds: string[]): Spread =>
    spreadOf(launches.map((one) => kinds.reduce((sum, kind) => sum + (one.calls[kind] ?? 0), 0)))
  const figure = (name: string, unit: string, spread: Spread, wanted?: Wanted): Figure => ({
    name,
    unit,
    runs: launches.length,
    ...spread,
    ...(wanted ? { wanted } : {}),
  })
  const most = (bound: number): Wanted => ({ is: '<=', bound })
  const perLayer = layerDispatches / layers
  const launch = spreadOf(launches.map(({ ms }) => ms))
  const idle = (name: string, of: (one: HostTimes) => number, wanted?: Wanted): Figure => ({
    ...figure(name, 'ms', spreadOf(times.map(of)), wanted),
    runs: times.length,
  })
  return [
    figure(
      'dispatches a layer',
      '',
      spreadOf([perLayer]),
      most(roundedUp((5 * layers + 1) / layers)),
    ),
    figure('dispatches a token', '', calls('dispatches')),
    figure('passes a token', '', calls('passes'), most(1)),
    figure('submits a token', '', calls('submits'), most(1)),
    figure('objects made a token', '', calls('buffers', 'bindGroups', 'pipelines'), most(0)),
    figure('writeBuffers a token', '', calls('writes'), most(1)),
    idle('encode, the adapter idle', (one) => one.encode, most(round(ENCODE * layers))),
    idle('encode again at once, in warm caches', (one) => one.again),
    idle('submit, the adapter idle', (one) => one.submit),
    figure('launch: writes, encode, submit, the adapter at work', 'ms', launch),
    figure(
      'wait: the GPU at work, as the host saw it',
      'ms',
      perToken(arrivals, ({ busy }) => busy),
    ),
    figure(
      'token, one to the next',
      'ms',
      perToken(arrivals, ({ at }) => at),
    ),
  ]
}

/** How much a total grows a token. */
function perToken(arrivals: readonly Arrival[], total: (arrival: Arrival) => number): Spread {
  const gaps = arrivals.length - 1
  const stretches = Math.max(1, Math.min(STRETCHES, gaps))
  const at = (stretch: number): number => Math.round((gaps * stretch) / stretches)
  const means = Array.from({ length: stretches }, (_, i) => {
    const [from, to] = [at(i), at(i + 1)]
    return (total(arrivals[to] as Arrival) - total(arrivals[from] as Arrival)) / (to - from)
  })
  return spreadOf(means)
}

const round = (value: number): number => Math.round(value * 1000) / 1000
const roundedUp = (value: number): number => Math.ceil(value * 100) / 100
