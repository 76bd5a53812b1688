/** From a model's id to a runner: folder, checkpoint, config, device, weights, buffers, pipelines. */
import { Device, type KvType, kvPageBytes, PAGE, Pipelines } from '../kernels/index.ts'
import type { LoadOptions, ModelInfo } from './api.ts'
import { EngineError } from './errors.ts'
import { toEngineError } from './failures.ts'
import { DEFAULT_MODEL, resolveModel } from './hub/index.ts'
import type { DecoderConfig, Family } from './models/config.ts'
import { familyOf } from './models/index.ts'
import { createBuffers } from './runner/buffers.ts'
import { Decoder } from './runner/decoder.ts'
import { Runner, WARM_UP_STEPS } from './runner/runner.ts'
import { type Checkpoint, openCheckpoint } from './weights/checkpoint.ts'
import { type CheckedTensors, checkTensors, type WeightFormat } from './weights/expected.ts'
import type { JsonObject } from './weights/json.ts'
import { loadWeights } from './weights/model-weights.ts'

export interface LoadedModel {
  readonly device: Device
  readonly runner: Runner
  readonly config: DecoderConfig
  readonly generationConfig: JsonObject
  readonly info: ModelInfo
}

/** Contexts longer than this are reserved only when asked for. */
const DEFAULT_CONTEXT = 8192

/** Options of a device that only tests use. */
export interface DeviceTestOptions {
  maxBinding?: number
  without?: readonly ('shader-f16' | 'subgroups')[]
}

/** Throws EngineError; nothing stays allocated when it does. */
export async function loadModel(
  model: string | undefined,
  options: LoadOptions & { device?: DeviceTestOptions },
): Promise<LoadedModel> {
  const found = await resolveModel(model ?? DEFAULT_MODEL, {
    ...(options.modelsFolder ? { modelsFolder: options.modelsFolder } : {}),
    ...(options.onProgress ? { onProgress: options.onProgress } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  })
  const checkpoint = await openCheckpoint(found.folder)
  let device: Device | null = null
  try {
    const family = familyOf(checkpoint.config)
    const config = family.config(checkpoint.config, checkpoint.generationConfig)
    const checked = checkTensors(checkpoint, config, family.tensors)
    options.signal?.throwIfAborted()
    device = await Device.open({
      ...(options.adapter ? { adapter: options.adapter } : {}),
      onProgress: (message) =>
        options.onProgress?.({ phase: 'adapter', message, done: 0, total: 1 }),
      ...options.device,
    })
    const runner = await upload(device, checkpoint, family, config, checked, options)
    const info = infoOf(found, checkpoint, family, config, checked, runner.capacity)
    return { device, runner, config, generationConfig: checkpoint.generationConfig, info }
  } catch (error) {
    device?.close()
    throw toEngineError(error)
  } finally {
    await checkpoint.close()
  }
}

async function upload(
  device: Device,
  checkpoint: Checkpoint,
  family: Family,
  config: DecoderConfig,
  checked: CheckedTensors,
  options: LoadOptions,
): Promise<Runner> {
  const { signal, onProgress } = options
  const kv: KvType = options.kv ?? 'f16'
  const context = contextOf(device, config, kv, options.contextLength)
  const pages = Math.ceil(context / PAGE)
  let done = 0
  const total = checkpoint.bytes
  const onBytes = (bytes: number): void => {
    signal?.throwIfAborted()
    done += bytes
    onProgress?.({ phase: 'weights', done: Math.min(done, total), total })
  }
  const weights = await loadWeights(device, checkpoint, config, family.tensors, checked, onBytes)
  onProgress?.({ phase: 'weights', done: total, total })
  const buffers = await createBuffers(device, config, kv, pages)
  const pipelines = new Pipelines(device)
  const decoder = new Decoder(device, pipelines, { config, weights, buffers, kv, pages })
  // Drivers compile when a pipeline first runs: that is part of the work, so it counts.
  let compiled = 0
  let pipelineCount = 0
  const onPipeline = (ready: number, all: number): void => {
    signal?.throwIfAborted()
    compiled = ready
    pipelineCount = all
    onProgress?.({ phase: 'pipelines', done: ready, total: all + WARM_UP_STEPS })
  }
  const dispatches = await decoder.record(onPipeline)
  const runner = new Runner(device, config, buffers, dispatches, context)
  await runner.warmUp(() => onPipeline(compiled + 1, pipelineCount))
  return runner
}

/** Tokens to reserve KV cache for: what was asked, else the model's own up to a bound; never more than the adapter binds. */
function contextOf(
  device: Device,
  config: DecoderConfig,
  kv: KvType,
  asked: number | undefined,
): number {
  const fits = Math.floor(device.caps.maxBinding / kvPageBytes(config, kv)) * PAGE
  if (asked === undefined) return Math.min(config.contextLength, DEFAULT_CONTEXT, fits)
  const most = Math.min(config.contextLength, fits)
  if (Number.isInteger(asked) && asked >= 1 && asked <= most) return asked
  const why =
    most === fits
      ? `one layer's ${kv} KV cache must fit a binding of the adapter`
      : "the model's own context"
  const message = `contextLength must be a whole number from 1 to ${most} (${why}); it is ${asked}.`
  throw new EngineError('bad_request', message, { param: 'contextLength' })
}

function nameOf(format: WeightFormat | undefined): string {
  if (!format) return 'unknown'
  return format.kind === 'float'
    ? format.dtype.toLowerCase()
    : `affine-${format.bits}bit/${format.groupSize}`
}

function infoOf(
  found: { folder: string; id: string },
  checkpoint: Checkpoint,
  family: Family,
  config: DecoderConfig,
  checked: CheckedTensors,
  contextLength: number,
): ModelInfo {
  const architectures = checkpoint.config.architectures
  return {
    id: found.id,
    path: found.folder,
    architecture: Array.isArray(architectures) ? String(architectures[0]) : family.name,
    family: family.name,
    parameters: checked.parameters,
    layers: config.layers,
    heads: config.heads,
    kvHeads: config.kvHeads,
    headDim: config.headDim,
    hiddenSize: config.hiddenSize,
    vocabularySize: config.vocabularySize,
    contextLength,
    weights: nameOf(checked.formats.get(family.tensors.layer(0).q)),
  }
}
