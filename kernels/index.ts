/** The kernel layer: registries (a line a kernel, a line a format), devices, plans. Marked unstable. */
import { attention } from './ops/attention.ts'
import { attentionJoin } from './ops/attention-join.ts'
import { countTokens } from './ops/count-tokens.ts'
import { embed } from './ops/embed.ts'
import { expertDown } from './ops/expert-down.ts'
import { expertGateUp } from './ops/expert-gate-up.ts'
import { gateUp } from './ops/gate-up.ts'
import { kvStore } from './ops/kv-store.ts'
import { layerNorm } from './ops/layer-norm.ts'
import { linear } from './ops/linear.ts'
import { linearNorm } from './ops/linear-norm.ts'
import { logprobs } from './ops/logprobs.ts'
import { normRotate } from './ops/norm-rotate.ts'
import { qkv } from './ops/qkv.ts'
import { quantize } from './ops/quantize.ts'
import { rmsNorm } from './ops/rms-norm.ts'
import { rmsNormLeft } from './ops/rms-norm-left.ts'
import { route } from './ops/route.ts'
import { sample } from './ops/sample.ts'

export const kernels = {
  embed,
  rmsNorm,
  rmsNormLeft,
  layerNorm,
  qkv,
  normRotate,
  kvStore,
  attention,
  attentionJoin,
  linear,
  linearNorm,
  gateUp,
  route,
  expertGateUp,
  expertDown,
  sample,
  logprobs,
  countTokens,
  quantize,
} as const

export { GpuError, type GpuErrorKind } from './errors.ts'
export type { FloatName } from './formats/floats.ts'
export { BLOCK_ROWS, type Format, type PackedWeight, type SourceRows } from './formats/format.ts'
export { f16ToF32, f32ToF16 } from './formats/half.ts'
export { formatOf, formats } from './formats/index.ts'
export type { Capabilities } from './gpu/capabilities.ts'
export { type AdapterChoice, type AdapterReport, listAdapters, openAdapter } from './gpu/dawn.ts'
export { Device, type DeviceOptions } from './gpu/device.ts'
export { mapSparing } from './gpu/map-sparing.ts'
export { type Pipeline, Pipelines } from './gpu/pipeline.ts'
export { type Copy, compiledOf, type Dispatch, replay, type Segment } from './gpu/plan.ts'
export { Recorder } from './gpu/recorder.ts'
export { SecondDevice } from './gpu/second-device.ts'
export { sparing } from './gpu/sparing.ts'
export {
  defineKernel,
  FORMS,
  type Form,
  type Forms,
  type Kernel,
  Random,
  roundUp,
  type Shape,
  type Tuning,
  tunings,
} from './kernel.ts'
export type { KvType } from './lib/fragments.ts'
export { isKvPadded, kvPageBytes, PAGE, paddedHalf } from './lib/kv-layout.ts'
export { leftRowFloats } from './lib/left-rows.ts'
export { type MatmulShape, type MatmulTuning, ROW_TILE, SEVERAL_ROWS } from './lib/matmul.ts'
export { partialFloats, SPAN, spansOf } from './lib/spans.ts'
export { ATTENTION_TILE } from './ops/attention.ts'
export { LATEST } from './ops/embed.ts'
export { DETAIL_WORDS } from './ops/logprobs.ts'
export { quantizedFormat } from './ops/quantize.ts'
export { MOST_WEIGHT } from './ops/quantize-oracle.ts'
export { MOST_DRAFTS, packSettings, SETTINGS_BYTES } from './ops/sample.ts'
export {
  chooseToken,
  seenLogit,
} from './ops/sample-oracle.ts'
export { defaultTuning } from './tune.ts'
export { formsOf, Tunings } from './tuned.ts'
export { readTunings, tuningFile } from './tuning-file.ts'
