/** The decoder's weights on the GPU. */
import { type Device, type Pipelines, roundUp } from '../../kernels/index.ts'
import type { DecoderConfig, QuantizationConfig } from '../models/config.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { CheckedTensors } from './expected.ts'
import { layerSource } from './layout.ts'
import { type Matrix, WeightLoader } from './load.ts'
import { Quantizer } from './quantizer.ts'
import { rowOrder } from './row-order.ts'
import {
  type LayerSource,
  type MlpSource,
  matrixOf,
  type NormSource,
  normOf,
  type VectorSource,
} from './sources.ts'

export interface Norm {
  readonly weight: GPUBuffer
  /** Of LayerNorm. */
  readonly bias: GPUBuffer | null
}

export type MlpWeights =
  | { readonly kind: 'gated'; readonly gateUp: Matrix; readonly down: Matrix }
  | { readonly kind: 'plain'; readonly up: Matrix; readonly down: Matrix }
  | {
      readonly kind: 'experts'
      readonly router: Matrix
      /** All experts' rows, each expert from a row block of its own on. */
      readonly gateUp: Matrix
      readonly down: Matrix
    }

export interface LayerWeights {
  readonly attentionNorm: Norm | null
  readonly qkv: Matrix
  /** Of queries and keys, in the order of their rows, for every head: [heads + kvHeads, headDim / 2] pairs. */
  readonly queryKeyNorm: GPUBuffer | null
  readonly sinks: GPUBuffer | null
  readonly o: Matrix
  readonly attentionPostNorm: Norm | null
  readonly mlpNorm: Norm | null
  readonly mlp: MlpWeights
  readonly mlpPostNorm: Norm | null
}

export interface ModelWeights {
  readonly embedding: Matrix
  /** Of positions, [positions, hiddenSize padded to 32]. */
  readonly positions: GPUBuffer | null
  readonly layers: readonly LayerWeights[]
  readonly finalNorm: Norm
  /** The embedding itself when tied. */
  readonly head: Matrix
}

/** A checkpoint as its family reads it. */
export interface WeightSource {
  readonly checkpoint: Checkpoint
  readonly config: DecoderConfig
  readonly checked: CheckedTensors
  /** Matrices to quantize, by module. */
  readonly quantized: ReadonlyMap<string, QuantizationConfig>
}

/** Uploads everything. Throws EngineError('model') or GpuError; buffers made by then are the device's to free. */
export async function loadWeights(
  device: Device,
  pipelines: Pipelines,
  source: WeightSource,
  onBytes: (bytes: number) => void,
): Promise<ModelWeights> {
  const { checkpoint, config, checked, quantized } = source
  if (quantized.size === 0) {
    return loadAll(new WeightLoader(device, checkpoint, checked.formats, onBytes), source)
  }
  // Embedding, head, and four of a layer.
  const quantizer = await Quantizer.open(device, pipelines, 2 + 4 * config.layers)
  try {
    const loader = new WeightLoader(device, checkpoint, checked.formats, onBytes, {
      quantizer,
      modules: quantized,
    })
    const weights = await loadAll(loader, source)
    await loader.finish()
    return weights
  } finally {
    quantizer.close()
  }
}

async function loadAll(
  loader: WeightLoader,
  { config, checked }: WeightSource,
): Promise<ModelWeights> {
  const { names } = checked
  const { hiddenSize: hidden, vocabularySize: vocabulary } = config
  const embedding = await loader.matrix(matrixOf('embedding', names.embedding, vocabulary, hidden))
  const positions = names.positions
    ? await loadPositions(loader, names.positions.tensor, config)
    : null
  const layers: LayerWeights[] = []
  for (let i = 0; i < config.layers; i++) {
    layers.push(await loadLayer(loader, config, layerSource(config, names, i)))
  }
  const finalNorm = await loadNorm(loader, config, normOf(names.finalNorm, config))
  const head =
    checked.head === names.embedding
      ? embedding
      : await loader.matrix(matrixOf('head', checked.head, vocabulary, hidden))
  return { embedding, positions, layers, finalNorm, head }
}

async function loadLayer(
  loader: WeightLoader,
  config: DecoderConfig,
  source: LayerSource,
): Promise<LayerWeights> {
  const norm = (of: NormSource | null): Promise<Norm> | null => of && loadNorm(loader, config, of)
  const { queryNorm, keyNorm, sinks } = source
  return {
    attentionNorm: await norm(source.attentionNorm),
    qkv: await loader.matrix(source.qkv),
    queryKeyNorm:
      queryNorm && keyNorm && (await loadQueryKeyNorm(loader, config, queryNorm, keyNorm)),
    sinks:
      sinks && (await loader.upload(sinks.name, await loader.values(sinks.name), sinks.length)),
    o: await loader.matrix(source.o),
    attentionPostNorm: await norm(source.attentionPostNorm),
    mlpNorm: await norm(source.mlpNorm),
    mlp: await loadMlp(loader, source.mlp),
    mlpPostNorm: await norm(source.mlpPostNorm),
  }
}

async function loadMlp(loader: WeightLoader, source: MlpSource): Promise<MlpWeights> {
  const down = await loader.matrix(source.down)
  if (source.kind === 'plain') return { kind: 'plain', up: await loader.matrix(source.up), down }
  const gateUp = await loader.matrix(source.gateUp)
  if (source.kind === 'gated') return { kind: 'gated', gateUp, down }
  return { kind: 'experts', router: await loader.matrix(source.router), gateUp, down }
}

/** Values of a norm's weights: some checkpoints hold what differs from 1. */
async function normValues(
  loader: WeightLoader,
  { normOffset }: DecoderConfig,
  { name }: VectorSource,
): Promise<Float32Array> {
  const values = await loader.values(name)
  return normOffset === 0 ? values : values.map((value) => value + normOffset)
}

async function loadNorm(
  loader: WeightLoader,
  config: DecoderConfig,
  { weight, bias }: NormSource,
): Promise<Norm> {
  const length = roundUp(config.hiddenSize, 32)
  const values = await normValues(loader, config, weight)
  return {
    weight: await loader.upload(weight.name, values, length),
    bias: bias && (await loader.upload(bias.name, await loader.values(bias.name), length)),
  }
}

async function loadQueryKeyNorm(
  loader: WeightLoader,
  config: DecoderConfig,
  queryNorm: VectorSource,
  keyNorm: VectorSource,
): Promise<GPUBuffer> {
  const { heads, kvHeads, headDim, queryKeyNorm } = config
  const queries = await normValues(loader, config, queryNorm)
  const keys = await normValues(loader, config, keyNorm)
  const turned = rowOrder(config)
  const pairs = new Float32Array((heads + kvHeads) * headDim)
  for (let at = 0; at < pairs.length; at++) {
    const head = Math.floor(at / headDim)
    const dimension = turned((at % headDim) >>> 1, at & 1)
    const [values, own] = head < heads ? [queries, head] : [keys, head - heads]
    pairs[at] = values[queryKeyNorm === 'all' ? own * headDim + dimension : dimension] ?? 0
  }
  return loader.upload(`${queryNorm.name} and ${keyNorm.name}`, pairs, pairs.length)
}

async function loadPositions(
  loader: WeightLoader,
  name: string,
  { contextLength, hiddenSize }: DecoderConfig,
): Promise<GPUBuffer> {
  const stride = roundUp(hiddenSize, 32)
  const values = await loader.values(name)
  const padded = new Float32Array(contextLength * stride)
  for (let i = 0; i < contextLength; i++) {
    padded.set(values.subarray(i * hiddenSize, (i + 1) * hiddenSize), i * stride)
  }
  return loader.upload(name, padded, padded.length)
}
