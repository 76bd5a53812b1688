/** From a model's id to a runner: files, device, weights, buffers, pipelines; and again after a device was lost. */
import { Device, kvPageBytes, Pipelines } from '../kernels/index.ts'
import type { LoadOptions, ModelInfo } from './api.ts'
import { EngineError } from './errors.ts'
import { toEngineError } from './failures.ts'
import { DEFAULT_MODEL } from './hub/index.ts'
import { findModel, type ModelFiles } from './model-files.ts'
import type { DecoderConfig } from './models/config.ts'
import {
  createModelBuffers,
  createSequenceBuffers,
  type SequenceBuffers,
} from './runner/buffers.ts'
import { Decoder } from './runner/decoder.ts'
import type { DecoderDispatches } from './runner/dispatches.ts'
import { Drafter } from './runner/drafter.ts'
import { Runner } from './runner/runner.ts'
import { type Sizes, sizesOf } from './runner/sizes.ts'
import { warmUp } from './runner/warm-up.ts'
import type { Drafter as DrafterKind } from './schedule/drafts.ts'
import type { JsonObject } from './weights/json.ts'
import { loadWeights, type ModelWeights } from './weights/model-weights.ts'

/** A model on a device, ready to run. */
export interface OpenModel {
  readonly device: Device
  readonly runner: Runner
}

export interface LoadedModel {
  readonly open: OpenModel
  readonly config: DecoderConfig
  readonly generationConfig: JsonObject
  readonly info: ModelInfo
  readonly sizes: Sizes
  readonly drafter: DrafterKind
  /** Closes what was open and opens a new device, with everything uploaded again. Throws EngineError. */
  reopen(before: OpenModel): Promise<OpenModel>
}

/** Options that only tests use. */
export interface DeviceTestOptions {
  maxBinding?: number
  without?: readonly ('shader-f16' | 'subgroups')[]
  /** No worker: the loop runs in the caller's thread. */
  inThread?: boolean
}

export type AllLoadOptions = LoadOptions & { device?: DeviceTestOptions }

/** Tokens that a draft model drafts when nobody says. */
const DRAFTS = 4
const MOST_DRAFTS = 16

/** Throws EngineError; nothing stays allocated when it does. */
export async function loadModel(
  model: string | undefined,
  options: AllLoadOptions,
): Promise<LoadedModel> {
  try {
    const files = await findModel(model ?? DEFAULT_MODEL, options)
    const draft = options.draft === undefined ? null : await findDraft(files, options)
    options.signal?.throwIfAborted()
    const { sizes, ...open } = await openOnGpu(files, draft, options, null)
    // Later openings are nobody's to watch or to cancel.
    const { signal: _, onProgress: __, ...later } = options
    return {
      open,
      config: files.config,
      generationConfig: files.generationConfig,
      info: { ...files.facts, contextLength: sizes.context },
      sizes,
      drafter: draft ? 'model' : 'lookup',
      async reopen({ device }) {
        device.close()
        return openOnGpu(files, draft, later, sizes)
      },
    }
  } catch (error) {
    throw toEngineError(error)
  }
}

async function findDraft(files: ModelFiles, options: LoadOptions): Promise<ModelFiles> {
  const draft = await findModel(options.draft ?? '', options)
  const [own, other] = [files.config.vocabularySize, draft.config.vocabularySize]
  if (own === other) return draft
  const message =
    `The draft model ${draft.id} has a vocabulary of ${other} tokens and ${files.id} one of ${own}: ` +
    'a draft must be a smaller model of the same family, with the same tokenizer.'
  throw new EngineError('bad_request', message, { param: 'draft' })
}

function draftsOf({ speculate, draft }: LoadOptions): number {
  const drafts = speculate ?? (draft === undefined ? 0 : DRAFTS)
  if (Number.isInteger(drafts) && drafts >= 0 && drafts <= MOST_DRAFTS) return drafts
  const message = `speculate must be a whole number from 0 to ${MOST_DRAFTS}; it is ${drafts}.`
  throw new EngineError('bad_request', message, { param: 'speculate' })
}

/** @param known sizes of an earlier opening, to be had again */
async function openOnGpu(
  files: ModelFiles,
  draft: ModelFiles | null,
  options: AllLoadOptions,
  known: Sizes | null,
): Promise<OpenModel & { sizes: Sizes }> {
  const { onProgress, adapter } = options
  const device = await Device.open({
    ...(adapter ? { adapter } : {}),
    onProgress: (message) => onProgress?.({ phase: 'adapter', message, done: 0, total: 1 }),
    ...(options.device?.maxBinding ? { maxBinding: options.device.maxBinding } : {}),
    ...(options.device?.without ? { without: options.device.without } : {}),
  })
  try {
    const sizes =
      known ??
      sizesOf(device, files.config, {
        kv: options.kv ?? 'f16',
        contextLength: options.contextLength,
        kvMemory: options.kvMemory,
        maxSequences: options.maxSequences,
        prefillChunk: options.prefillChunk,
        drafts: draftsOf(options),
        draft: draft?.config ?? null,
      })
    return { device, ...(await build(device, files, draft, sizes, options)) }
  } catch (error) {
    device.close()
    throw toEngineError(error)
  }
}

async function build(
  device: Device,
  files: ModelFiles,
  draft: ModelFiles | null,
  sizes: Sizes,
  options: LoadOptions,
): Promise<{ runner: Runner; sizes: Sizes }> {
  const pipelines = new Pipelines(device)
  const pageBytes = kvPageBytes({ ...files.config, kv: sizes.kv })
  const draftBytes = draft ? kvPageBytes({ ...draft.config, kv: sizes.kv }) : 0
  const weights = await upload(device, files, options)
  const draftWeights = draft ? await upload(device, draft, options) : null
  const largest = Math.max(pageBytes, draftBytes)
  const sequences = await createSequenceBuffers(device, files.config, sizes, largest)
  const model = await ready(device, pipelines, files, weights, sequences, sizes, options)
  const small =
    draft && draftWeights
      ? await ready(device, pipelines, draft, draftWeights, sequences, sizes, options)
      : null
  const runner = new Runner(device, {
    config: files.config,
    sizes,
    sequences,
    pageBytes,
    ...model,
    drafter: small && new Drafter(device, sizes, small.buffers, small.dispatches, draftBytes),
  })
  return { runner, sizes }
}

async function upload(
  device: Device,
  { family, config, reading }: ModelFiles,
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
    const weights = await loadWeights(device, checkpoint, config, family.tensors, checked, onBytes)
    onProgress?.({ phase: 'weights', done: total, total })
    return weights
  })
}

/** Buffers and pipelines of a model, every pipeline run once. */
async function ready(
  device: Device,
  pipelines: Pipelines,
  { config }: ModelFiles,
  weights: ModelWeights,
  sequences: SequenceBuffers,
  sizes: Sizes,
  { signal, onProgress }: LoadOptions,
): Promise<{
  buffers: Awaited<ReturnType<typeof createModelBuffers>>
  dispatches: DecoderDispatches
}> {
  const buffers = await createModelBuffers(device, config, sizes)
  const decoder = new Decoder(device, pipelines, { config, weights, buffers, sequences, sizes })
  // Drivers compile when a pipeline first runs: that is part of the work, so it counts as much.
  let done = 0
  let total = 0
  const report = (): void => {
    signal?.throwIfAborted()
    onProgress?.({ phase: 'pipelines', done, total })
  }
  const dispatches = await decoder.record((compiled, count) => {
    done = compiled
    total = 2 * count
    report()
  })
  await warmUp(device, dispatches, buffers, sequences, () => {
    done = Math.min(done + 1, total)
    report()
  })
  return { buffers, dispatches }
}
