/** Fragments that kernels choose between by what the device has. */
import type { Capabilities } from '../gpu/capabilities.ts'
import type { Fragment } from '../kernel.ts'
import type { LeftType } from './left-rows.ts'

const file = (name: string): Fragment => ({ wgsl: new URL(name, import.meta.url) })

const reduceWorkgroup = file('./reduce-workgroup.wgsl')
const reduceSubgroup: Fragment = {
  ...file('./reduce-subgroup.wgsl'),
  enables: ['subgroups'],
}
const reduceAlone: Fragment = { ...file('./reduce-alone.wgsl'), enables: ['subgroups'] }
export const samplingRules = file('./sampling.wgsl')
export const ranking = file('./ranking.wgsl')

export const activations = {
  silu: file('./activate-silu.wgsl'),
  gelu: file('./activate-gelu.wgsl'),
  'gelu-tanh': file('./activate-gelu-tanh.wgsl'),
  relu: file('./activate-relu.wgsl'),
} as const satisfies Record<string, Fragment>

export type ActivationName = keyof typeof activations

const kvPage = file('./kv-page.wgsl')

/** Number types of the KV cache: how a pair of values is stored and read. int8 is set down by row and quantized after. */
export const kvTypes = {
  f32: { store: [kvPage, file('./kv-f32-store.wgsl')], load: file('./kv-f32-load.wgsl') },
  f16: { store: [kvPage, file('./kv-f16-store.wgsl')], load: file('./kv-f16-load.wgsl') },
  int8: { store: [file('./kv-fresh-store.wgsl')], load: file('./kv-int8-load.wgsl') },
} as const satisfies Record<string, { store: readonly Fragment[]; load: Fragment }>

export type KvType = keyof typeof kvTypes
export { kvPage }

/** How eight invocations exchange values: `shuffle` 1 needs subgroups of at least eight. */
export const octetFragment = (shuffle: number): Fragment =>
  shuffle === 1
    ? { ...file('./octet-subgroup.wgsl'), enables: ['subgroups'] }
    : file('./octet-workgroup.wgsl')

/** How octets that saw different keys add up. */
export const octetsFragment = (split: number): Fragment =>
  file(split > 1 ? './octets-split.wgsl' : './octets-alone.wgsl')

/** Where a head's output goes. */
export const storeHeads = (headDim: number): Fragment =>
  file(headDim % 8 === 0 ? './store-heads-quads.wgsl' : './store-heads.wgsl')

export const spans = file('./spans.wgsl')
export const held = file('./held.wgsl')
/** Vectors that a loop sums up; the kernel says with SUMS how many. */
export const sums = file('./sums.wgsl')
export const storeSpans = file('./store-spans.wgsl')

/** `SUBGROUP` 1 needs subgroups; every kernel also runs with 0. A workgroup no wider than a subgroup needs no barrier. */
export function reduceFragment(subgroup: number, width: number, caps: Capabilities): Fragment {
  if (subgroup === 0) return reduceWorkgroup
  return width <= caps.subgroupMin ? reduceAlone : reduceSubgroup
}

export const validSubgroup = (subgroup: number, caps: Capabilities): boolean =>
  subgroup === 0 || caps.subgroups

/** What becomes of a linear layer's products. */
export const outputs = {
  plain: [file('./output-plain.wgsl')],
  scaled: [file('./output-scaled.wgsl')],
  capped: [file('./output-capped.wgsl')],
  silu: [activations.silu, file('./output-activated.wgsl')],
  gelu: [activations.gelu, file('./output-activated.wgsl')],
  'gelu-tanh': [activations['gelu-tanh'], file('./output-activated.wgsl')],
  relu: [activations.relu, file('./output-activated.wgsl')],
} as const satisfies Record<string, readonly Fragment[]>

export type OutputName = keyof typeof outputs

export const positionsFragment = (learned: boolean): Fragment =>
  file(learned ? './positions-learned.wgsl' : './positions-none.wgsl')

const leaveFragments = (next: LeftType): readonly Fragment[] => [
  file('./norm-blocks.wgsl'),
  file(next === 'int8' ? './leave-int8.wgsl' : './leave-f32.wgsl'),
]

/** For invocations of a subgroup, eight by eight, where all take part. */
export const overEight: Fragment = { ...file('./over-eight.wgsl'), enables: ['subgroups'] }
const blockAcross = [
  overEight,
  { ...file('./block-subgroup.wgsl'), enables: ['subgroups'] },
] as const

/** How a product leaves blocks of the residual for their RMS norm; `shuffle` as of `octetFragment`. */
export const leaveQuads = (next: LeftType, shuffle: number): readonly Fragment[] => [
  ...leaveFragments(next),
  ...(shuffle === 1
    ? [...blockAcross, file('./settle-subgroup.wgsl')]
    : [file('./block-workgroup.wgsl')]),
]

/** How a norm leaves them; `alone`: invocations of a workgroup that is one subgroup, 0 where it is not. */
export const leaveRows = (next: LeftType, alone: number): readonly Fragment[] => [
  ...leaveFragments(next),
  alone > 0
    ? { ...file('./row-total-alone.wgsl'), enables: ['subgroups'] }
    : file('./row-total-workgroup.wgsl'),
  ...(alone === 8 ? [...blockAcross, file('./row-by-quads.wgsl')] : [file('./row-by-blocks.wgsl')]),
]

/** `window`: keys that a query sees, 0 for all. */
export const reachFragment = (window: number): Fragment =>
  file(window > 0 ? './reach-window.wgsl' : './reach-all.wgsl')

/** `cap` 0: none. */
export const scoreFragment = (cap: number): Fragment =>
  file(cap > 0 ? './score-capped.wgsl' : './score-plain.wgsl')

export const sinksFragment = (sinks: boolean): Fragment =>
  file(sinks ? './sinks.wgsl' : './sinks-none.wgsl')

/** How an expert's gate and up become one; `clamped` needs LIMIT and ALPHA. */
export const gatedFragments = (activation: ActivationName | 'clamped'): readonly Fragment[] =>
  activation === 'clamped'
    ? [file('./gated-clamped.wgsl')]
    : [activations[activation], file('./gated-product.wgsl')]

/** The product of one vector with a pair block of one expert. */
export const expertProduct = file('./expert-product.wgsl')
