/** The kernel layer: registries (a line a kernel, a line a format), devices, plans. Marked unstable. */
import { attention } from './ops/attention.ts'
import { embed } from './ops/embed.ts'
import { gateUp } from './ops/gate-up.ts'
import { linear } from './ops/linear.ts'
import { qkv } from './ops/qkv.ts'
import { rmsNorm } from './ops/rms-norm.ts'
import { sample } from './ops/sample.ts'

export const kernels = { embed, rmsNorm, qkv, attention, linear, gateUp, sample } as const

export { GpuError, type GpuErrorKind } from './errors.ts'
export type { Format, PackedWeight, SourceRows } from './formats/format.ts'
export { formatOf, formats } from './formats/index.ts'
export type { Capabilities } from './gpu/capabilities.ts'
export { type AdapterChoice, type AdapterReport, listAdapters, openAdapter } from './gpu/dawn.ts'
export { Device, type DeviceOptions } from './gpu/device.ts'
export { defineKernel, type Kernel, roundUp, type Shape, type Tuning, tunings } from './kernel.ts'
export type { KvType } from './lib/fragments.ts'
export { kvPageBytes, PAGE, paddedHalf } from './lib/kv-layout.ts'
export { packSettings, SETTINGS_BYTES } from './ops/sample.ts'
export type { SampleSettings } from './ops/sample-oracle.ts'
export { defaultTuning, matmulTuning } from './tune.ts'
