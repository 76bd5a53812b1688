/** From a model's id to a runner: files, device, sizes; and again after a device was lost. */
import { Device, MOST_DRAFTS, type Tunings } from '../kernels/index.ts'
import type { LoadOptions, ModelInfo } from './api.ts'
import { buildRunner } from './build-runner.ts'
import { EngineError } from './errors.ts'
import { toEngineError } from './failures.ts'
import { DEFAULT_MODEL } from './hub/index.ts'
import { findModel, type ModelFiles } from './model-files.ts'
import type { DecoderConfig } from './models/config.ts'
import type { Runner } from './runner/runner.ts'
import { type Sizes, sizesOf } from './runner/sizes.ts'
import type { Drafter } from './schedule/drafts.ts'
import type { JsonObject } from './weights/json.ts'

/** A model on a device, ready to run. */
export interface OpenModel {
  readonly device: Device
  readonly runner: Runner
  /** In which its kernels run. */
  readonly tunings: Tunings
  /** Resolves once pipelines that only some requests need are compiled, or the device is closed. */
  readonly rest: Promise<void>
}

export interface LoadedModel {
  readonly open: OpenModel
  readonly config: DecoderConfig
  readonly generationConfig: JsonObject
  readonly info: ModelInfo
  readonly sizes: Sizes
  readonly drafter: Drafter
  /** Closes what was open and opens a new device, with everything uploaded again. Throws EngineError. */
  reopen(before: OpenModel): Promise<OpenModel>
}

/** Options that only tests and the bench use. */
export interface DeviceTestOptions {
  maxBinding?: number
  without?: readonly ('shader-f16' | 'subgroups')[]
  /** Ask for timestamps where the adapter offers them. */
  timestamps?: boolean
  /** No worker: the loop runs in the caller's thread. */
  inThread?: boolean
}

export interface AllLoadOptions extends LoadOptions {
  device?: DeviceTestOptions
  /** Its process loads nothing before: the driver may have everything to compile, and is helped sooner. */
  isFirstOfProcess?: boolean
  /** Hears where the model lies, before anything of it is loaded. */
  onFound?: (folder: string) => void
}

/** Tokens that a draft model drafts when nobody says. */
const DRAFTS = 4

/** Throws EngineError; nothing stays allocated when it does. */
export async function loadModel(
  model: string | undefined,
  options: AllLoadOptions,
): Promise<LoadedModel> {
  try {
    const files = await findModel(model ?? DEFAULT_MODEL, options)
    const draft = options.draft === undefined ? null : await findDraft(files, options)
    options.signal?.throwIfAborted()
    options.onFound?.(files.folder)
    const { sizes, ...open } = await openOnGpu(files, draft, options, null)
    // Later openings are nobody's to watch or to cancel.
    const { signal: _, onProgress: __, isFirstOfProcess: ___, ...later } = options
    return {
      open,
      config: files.config,
      generationConfig: files.generationConfig,
      info: { ...files.facts, contextLength: sizes.context },
      sizes,
      drafter: draft ? 'model' : 'lookup',
      async reopen({ device, rest }) {
        device.close()
        const again = await openOnGpu(files, draft, later, sizes)
        return { ...again, rest: Promise.all([rest, again.rest]).then(() => undefined) }
      },
    }
  } catch (error) {
    throw toEngineError(error)
  }
}

async function findDraft(files: ModelFiles, options: LoadOptions): Promise<ModelFiles> {
  const { quantize: _, ...asItIs } = options
  const draft = await findModel(options.draft ?? '', asItIs)
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
    ...(options.device?.timestamps ? { timestamps: true } : {}),
  })
  try {
    const sizes =
      known ??
      sizesOf(device, files.config, {
        kv: options.kv ?? 'f16',
        activations: options.activations ?? 'f32',
        contextLength: options.contextLength,
        kvMemory: options.kvMemory,
        maxSequences: options.maxSequences,
        prefillChunk: options.prefillChunk,
        drafts: draftsOf(options),
        draft: draft?.config ?? null,
      })
    const mayShrink = known === null && options.kvMemory === undefined
    return { device, ...(await buildRunner(device, files, draft, sizes, options, mayShrink)) }
  } catch (error) {
    device.close()
    throw toEngineError(error)
  }
}
