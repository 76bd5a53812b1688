/** Fragments that kernels choose between by what the device has. */
import type { Capabilities } from '../gpu/capabilities.ts'
import type { Fragment } from '../kernel.ts'

const file = (name: string): Fragment => ({ wgsl: new URL(name, import.meta.url) })

const reduceWorkgroup = file('./reduce-workgroup.wgsl')
const reduceSubgroup: Fragment = {
  ...file('./reduce-subgroup.wgsl'),
  enables: ['subgroups'],
}
export const samplingRules = file('./sampling.wgsl')

export const activations = {
  silu: file('./activate-silu.wgsl'),
  gelu: file('./activate-gelu.wgsl'),
  'gelu-tanh': file('./activate-gelu-tanh.wgsl'),
} as const satisfies Record<string, Fragment>

export type ActivationName = keyof typeof activations

/** Number types of the KV cache: how a pair of values is stored and read. */
export const kvTypes = {
  f32: { store: file('./kv-f32-store.wgsl'), load: file('./kv-f32-load.wgsl'), pairBytes: 8 },
  f16: { store: file('./kv-f16-store.wgsl'), load: file('./kv-f16-load.wgsl'), pairBytes: 4 },
} as const satisfies Record<string, { store: Fragment; load: Fragment; pairBytes: number }>

export type KvType = keyof typeof kvTypes

/** `SUBGROUP` 1 needs subgroups; every kernel also runs with 0. */
export const reduceFragment = (subgroup: number): Fragment =>
  subgroup === 1 ? reduceSubgroup : reduceWorkgroup

export const validSubgroup = (subgroup: number, caps: Capabilities): boolean =>
  subgroup === 0 || caps.subgroups
