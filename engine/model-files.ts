/** A model found and checked, before any GPU is touched: its folder, its family's reading of its config, facts to show. */
import type { LoadOptions, ModelInfo } from './api.ts'
import { resolveModel } from './hub/index.ts'
import type { DecoderConfig, Family, QuantizationConfig } from './models/config.ts'
import { familyOf } from './models/index.ts'
import { type Checkpoint, openCheckpoint } from './weights/checkpoint.ts'
import { type CheckedTensors, checkTensors, type WeightFormat } from './weights/expected.ts'
import type { JsonObject } from './weights/json.ts'
import { unpacked } from './weights/packed/index.ts'
import { quantizedModules } from './weights/quantization.ts'

export interface ModelFiles {
  readonly id: string
  readonly folder: string
  readonly family: Family
  readonly config: DecoderConfig
  readonly generationConfig: JsonObject
  /** How matrices are quantized on load, by module; those that are not there stay as they are. */
  readonly quantized: ReadonlyMap<string, QuantizationConfig>
  /** Everything but the context, which depends on the adapter. */
  readonly facts: Omit<ModelInfo, 'contextLength'>
  /** Reads while `use` runs. */
  reading<T>(use: (checkpoint: Checkpoint, checked: CheckedTensors) => Promise<T>): Promise<T>
}

/** Finds (or fetches) a model and checks every tensor's name, shape and type. Throws EngineError. */
export async function findModel(model: string, options: LoadOptions): Promise<ModelFiles> {
  const { modelsFolder, onProgress, signal } = options
  const { folder, id } = await resolveModel(model, {
    ...(modelsFolder ? { modelsFolder } : {}),
    ...(onProgress ? { onProgress } : {}),
    ...(signal ? { signal } : {}),
  })
  const checkpoint = await openModel(folder)
  try {
    const family = familyOf(checkpoint.config)
    const { generationConfig } = checkpoint
    const config = family.config(checkpoint.config, generationConfig)
    const checked = checkTensors(checkpoint, config, family.tensors)
    const quantized = quantizedModules(folder, config, checked, options.quantize)
    const formats = new Map([...checked.formats, ...quantized])
    return {
      id,
      folder,
      family,
      config,
      generationConfig,
      quantized,
      facts: factsOf({ id, folder }, checkpoint, family, config, { ...checked, formats }),
      reading: (use) => reading(folder, family, config, use),
    }
  } finally {
    await checkpoint.close()
  }
}

/** A folder's checkpoint, its packed modules unpacked. */
async function openModel(folder: string): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(folder)
  try {
    return await unpacked(checkpoint)
  } catch (error) {
    await checkpoint.close()
    throw error
  }
}

async function reading<T>(
  folder: string,
  family: Family,
  config: DecoderConfig,
  use: (checkpoint: Checkpoint, checked: CheckedTensors) => Promise<T>,
): Promise<T> {
  const checkpoint = await openModel(folder)
  try {
    return await use(checkpoint, checkTensors(checkpoint, config, family.tensors))
  } finally {
    await checkpoint.close()
  }
}

function nameOf(format: WeightFormat | undefined): string {
  if (!format) return 'unknown'
  return format.kind === 'float'
    ? format.dtype.toLowerCase()
    : `affine-${format.bits}bit/${format.groupSize}`
}

function factsOf(
  { id, folder }: { id: string; folder: string },
  checkpoint: Checkpoint,
  family: Family,
  config: DecoderConfig,
  checked: CheckedTensors,
): ModelFiles['facts'] {
  const { architectures } = checkpoint.config
  return {
    id,
    path: folder,
    architecture: Array.isArray(architectures) ? String(architectures[0]) : family.name,
    family: family.name,
    parameters: checked.parameters,
    layers: config.layers,
    heads: config.heads,
    kvHeads: config.kvHeads,
    headDim: config.headDim,
    hiddenSize: config.hiddenSize,
    vocabularySize: config.vocabularySize,
    weights: nameOf(checked.formats.get(checked.names.layer(0).q)),
  }
}
