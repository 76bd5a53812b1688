/** A model's files on a device → a runner: weights uploaded, buffers made, pipelines compiled, bound and run once. */
import {
  type Device,
  GpuError,
  kvPageBytes,
  Pipelines,
  readTunings,
  Tunings,
} from '../kernels/index.ts'
import type { LoadOptions } from './api.ts'
import type { AllLoadOptions } from './load-model.ts'
import type { ModelFiles } from './model-files.ts'
import type { DecoderConfig } from './models/config.ts'
import {
  createModelBuffers,
  createSequenceBuffers,
  type ModelBuffers,
  type SequenceBuffers,
} from './runner/buffers.ts'
import { CompilingBeside } from './runner/compiling-beside.ts'
import { Decoder } from './runner/decoder.ts'
import type { DecoderParts } from './runner/decoder-parts.ts'
import type { DecoderDispatches } from './runner/dispatches.ts'
import { Drafter } from './runner/drafter.ts'
import { Runner } from './runner/runner.ts'
import type { Sizes } from './runner/sizes.ts'
import { Upload } from './runner/upload.ts'
import { warmUp } from './runner/warm-up.ts'
import { loadWeights, type ModelWeights } from './weights/model-weights.ts'

/**
 * Throws GpuError, EngineError; what was made by then is the device's to free. `rest` resolves once the pipelines that are
 * compiled beside the first answers are there, or the device is closed.
 * @param mayShrink fewer pages than planned will do where memory is short
 */
export async function buildRunner(
  device: Device,
  files: ModelFiles,
  draft: ModelFiles | null,
  planned: Sizes,
  options: AllLoadOptions,
  mayShrink: boolean,
): Promise<{ runner: Runner; sizes: Sizes; tunings: Tunings; rest: Promise<void> }> {
  const pipelines = new Pipelines(device)
  const weights = await upload(device, pipelines, files, options)
  const draftWeights = draft ? await upload(device, pipelines, draft, options) : null
  const { sizes, sequences, buffers } = await allocate(
    device,
    draft ? [files.config, draft.config] : [files.config],
    planned,
    mayShrink,
  )
  const tunings = keptTunings(device, options)
  const [own, onDraft] = buffers as [ModelBuffers, ModelBuffers?]
  const dispatchesOf = (config: DecoderConfig, of: ModelWeights, on: ModelBuffers) =>
    record(
      device,
      pipelines,
      { config, weights: of, buffers: on, sequences, sizes, tunings },
      options,
    )
  const pageBytes = (config: DecoderConfig): number => kvPageBytes({ ...config, kv: sizes.kv })
  const { dispatches, rest } = await dispatchesOf(files.config, weights, own)
  const staged = new Upload(device, sequences.staging)
  let drafter: Drafter | null = null
  let draftRest = Promise.resolve()
  if (draft && draftWeights && onDraft) {
    const drafted = await dispatchesOf(draft.config, draftWeights, onDraft)
    const bytes = pageBytes(draft.config)
    drafter = new Drafter(device, sizes, onDraft, staged, drafted.dispatches, bytes)
    draftRest = drafted.rest
  }
  const runner = new Runner(device, {
    config: files.config,
    sizes,
    buffers: own,
    sequences,
    dispatches,
    pageBytes: pageBytes(files.config),
    drafter,
    upload: staged,
  })
  const all = Promise.all([rest, draftRest]).then(() => undefined)
  return { runner, sizes, tunings, rest: all }
}

/** What the tuner kept for this adapter. */
function keptTunings(device: Device, { onProgress }: LoadOptions): Tunings {
  const kept = readTunings(device, (message) =>
    onProgress?.({ phase: 'adapter', message, done: 1, total: 1 }),
  )
  return new Tunings(device.caps, kept)
}

interface Allocated {
  readonly sizes: Sizes
  readonly sequences: SequenceBuffers
  /** Of each model. */
  readonly buffers: readonly ModelBuffers[]
}

/** Everything beside the weights. How much memory an adapter has nobody tells: where it was a guess, fewer pages will do. */
async function allocate(
  device: Device,
  configs: readonly DecoderConfig[],
  sizes: Sizes,
  mayShrink: boolean,
): Promise<Allocated> {
  try {
    const sequences = await createSequenceBuffers(device, configs, sizes)
    const buffers: ModelBuffers[] = []
    for (const config of configs) buffers.push(await createModelBuffers(device, config, sizes))
    return { sizes, sequences, buffers }
  } catch (error) {
    const isFull = error instanceof GpuError && error.kind === 'out-of-memory'
    const isLeast = sizes.groups.every(({ pages, held }) => pages === held)
    if (!isFull || !mayShrink || isLeast) throw error
    device.memory.freeAllBut('weights')
    const groups = sizes.groups.map((group) => ({
      ...group,
      pages: Math.max(group.held, Math.floor(group.pages / 2)),
    }))
    return allocate(device, configs, { ...sizes, groups }, mayShrink)
  }
}

async function upload(
  device: Device,
  pipelines: Pipelines,
  { config, quantized, reading }: ModelFiles,
  { signal, onProgress }: LoadOptions,
): Promise<ModelWeights> {
  return reading(async (checkpoint, checked) => {
    let done = 0
    const total = checkpoint.bytes
    const onBytes = (bytes: number): void => {
      signal?.throwIfAborted()
      done += bytes
      onProgress?.({ phase: 'weights', done: Math.min(done, total), total })
    }
    const source = { checkpoint, config, checked, quantized }
    const weights = await loadWeights(device, pipelines, source, onBytes)
    onProgress?.({ phase: 'weights', done: total, total })
    return weights
  })
}

/** Compiles and binds a model's dispatches, and runs the pipelines once. */
async function record(
  device: Device,
  pipelines: Pipelines,
  parts: DecoderParts,
  { signal, onProgress, isFirstOfProcess = false }: AllLoadOptions,
): Promise<{ dispatches: DecoderDispatches; rest: Promise<void> }> {
  // Drivers compile when a pipeline first runs: that is part of the work, so it counts as much.
  const report = (done: number, total: number): void => {
    signal?.throwIfAborted()
    onProgress?.({ phase: 'pipelines', done, total })
  }
  const beside = new CompilingBeside(device, isFirstOfProcess)
  try {
    const dispatches = await new Decoder(device, pipelines, parts).record()
    const warming = { device, pipelines, dispatches, ...parts, beside }
    const { rest } = await warmUp(warming, report)
    return { dispatches, rest: rest.finally(() => beside.close()) }
  } catch (error) {
    await beside.close()
    throw error
  }
}
