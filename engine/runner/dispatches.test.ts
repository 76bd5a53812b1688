/** Steps run in what is compiled by then: the least at first, what suits them best at last. */
import { expect, test } from 'vitest'
import { ATTENTION_TILE, type Device, type Dispatch } from '../../kernels/index.ts'
import { DecoderDispatches, type Stage } from './dispatches.ts'

const device = { caps: { software: true } } as Device

const dispatch = (label: string): Dispatch => ({
  label,
  pipeline: { name: label, gpu: null as never, source: null as never },
  bindGroup: null as never,
  workgroups: () => [1, 1, 1],
})

function decoder() {
  const all = (kind: string) => ({
    one: [dispatch(`${kind} 1`)],
    several: [dispatch(`${kind} n`)],
    many: [dispatch(`${kind} N`)],
  })
  const [norm, qkv, attention, head] = [
    [dispatch('norm')],
    all('qkv'),
    all('attention'),
    all('head'),
  ]
  const apart = { one: [dispatch('apart 1')], several: [dispatch('apart n')] }
  const body: Stage[] = [
    () => norm,
    ({ product }) => qkv[product],
    (variant) => (variant.isApart ? apart : attention)[variant.attention],
  ]
  return new DecoderDispatches(device, 2, body, [() => norm, ({ product }) => head[product]], {
    countTokens: [dispatch('count')],
    sample: [dispatch('sample')],
    logprobs: [dispatch('logprobs')],
  })
}

const labels = (dispatches: readonly Dispatch[]): string =>
  dispatches.map((one) => one.label).join()
const SHORT = { rows: 1, tiles: 1, tileRows: 1, longest: 10 }
const LONG = { ...SHORT, longest: 2000 }

test('compiles first what any step can be run in, then what makes most steps faster', () => {
  const { first, rest } = decoder().pipelines
  expect(labels(first)).toBe('norm,qkv n,attention 1,head 1,count,sample')
  expect(labels(rest)).toBe('qkv 1,attention n,qkv N,apart 1,apart n,head n,head N,logprobs')
})

test('runs a step in what is compiled, and each better variant as soon as all of it is', () => {
  const dispatches = decoder()
  const { first, rest } = dispatches.pipelines
  const compiled = (wanted: string): void => {
    for (const one of [...first, ...rest]) if (one.label === wanted) dispatches.compiled(one)
  }
  for (const one of first) dispatches.compiled(one)
  expect(labels(dispatches.body(SHORT).dispatches)).toBe('norm,qkv n,attention 1')
  expect(labels(dispatches.head(3))).toBe('norm,head 1')
  compiled('qkv 1')
  expect(labels(dispatches.body(SHORT).dispatches)).toBe('norm,qkv 1,attention 1')
  expect(dispatches.body(LONG)).toMatchObject({ spans: 1 })
  compiled('apart 1')
  expect(dispatches.body(LONG)).toMatchObject({ spans: 4 })
  expect(labels(dispatches.body(LONG).dispatches)).toBe('norm,qkv 1,apart 1')
  compiled('head n')
  expect(labels(dispatches.head(3))).toBe('norm,head n')
  expect(labels(dispatches.head(5))).toBe('norm,head n')
  compiled('head N')
  expect(labels(dispatches.head(5))).toBe('norm,head N')
  expect(labels(dispatches.head(4))).toBe('norm,head n')
})

test('tiles have one row until attention over several is compiled', () => {
  const dispatches = decoder()
  const { first, rest } = dispatches.pipelines
  for (const one of first) dispatches.compiled(one)
  expect(dispatches.tileRows).toBe(1)
  for (const one of rest) if (one.label === 'attention n') dispatches.compiled(one)
  expect(dispatches.tileRows).toBe(ATTENTION_TILE)
  const prompt = { rows: 32, tiles: 4, tileRows: 8, longest: 32 }
  expect(labels(dispatches.body(prompt).dispatches)).toBe('norm,qkv n,attention n')
  for (const one of rest) if (one.label === 'qkv N') dispatches.compiled(one)
  expect(labels(dispatches.body(prompt).dispatches)).toBe('norm,qkv N,attention n')
})

test('tells the dispatches of a token as they are once all is compiled', () => {
  expect(decoder().perToken).toBe(3 + 2 + 1)
})
