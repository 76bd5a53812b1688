/** Host figures of made-up launches and arrivals. */
import { expect, it } from 'vitest'
import { holds } from '../figures.ts'
import { hostFigures } from './host-figures.ts'

const calls = { dispatches: 15, passes: 1, submits: 1, buffers: 0, writes: 4 }
const host = (encode: number) => ({ encode, again: encode / 2, submit: encode / 4 })
const launch = (ms: number, more = {}) => ({ ms, calls: { ...calls, ...more } })

it('judges calls and encoding, the latter by how many layers there are', () => {
  const launches = [launch(0.5), launch(0.7, { bindGroups: 1 }), launch(0.9)]
  const arrivals = [0, 10, 20, 30].map((at) => ({ at, busy: at / 2 }))
  const figures = hostFigures({ launches, arrivals }, [0.2, 0.1, 0.3].map(host), 11, 2)
  const of = (name: string) => figures.find((one) => one.name.startsWith(name))
  expect(of('dispatches a layer')).toMatchObject({ median: 5.5, wanted: { is: '<=', bound: 5.5 } })
  expect(of('objects made')).toMatchObject({ min: 0, median: 0, max: 1 })
  const writes = of('writeBuffers')
  expect(writes && holds(writes)).toBe(false)
  expect(of('encode,')).toMatchObject({ median: 0.2, runs: 3, wanted: { bound: 0.053 } })
  expect(of('encode again')).toMatchObject({ median: 0.1, runs: 3 })
  expect(of('submit,')).toMatchObject({ median: 0.05, runs: 3 })
  expect([of('encode again'), of('submit,')].filter((one) => one?.wanted)).toEqual([])
  expect(of('launch')).toMatchObject({ median: 0.7 })
  expect(of('token')).toMatchObject({ min: 10, median: 10, max: 10 })
  expect(of('wait')).toMatchObject({ median: 5 })
})

it('a token takes what it takes on the average where ids come several at once', () => {
  const arrivals = [0, 0, 40, 40, 80, 80, 120, 120, 160].map((at) => ({ at, busy: at }))
  const figures = hostFigures({ launches: [launch(1)], arrivals }, [host(1)], 7, 1)
  expect(figures.at(-1)).toMatchObject({ min: 20, median: 20, max: 20 })
})
