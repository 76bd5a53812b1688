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
  type MatrixSource,
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
    return await loadAll(loader, source)
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
  const whole = (label: string, path: string): Promise<Matrix> =>
    loader.matrix(matrixOf(label, path, vocabulary, hidden))
  const [embedding, positions, finalNorm, layers, head] = await Promise.all([
    whole('embedding', names.embedding),
    names.positions ? loadPositions(loader, names.positions.tensor, config) : null,
    loadNorm(loader, config, normOf(names.finalNorm, config)),
    Promise.all(
      Array.from({ length: config.layers }, (_, i) =>
        loadLayer(loader, config, layerSource(config, names, i)),
      ),
    ),
    checked.head === names.embedding ? null : whole('head', checked.head),
  ])
  await loader.finish()
  return { embedding, positions, layers, finalNorm, head: head ?? embedding }
}

async function loadLayer(
  loader: WeightLoader,
  config: DecoderConfig,
  source: LayerSource,
): Promise<LayerWeights> {
  const norm = (of: NormSource | null) => of && loadNorm(loader, config, of)
  const { queryNorm, keyNorm, sinks } = source
  const [attentionNorm, qkv, queryKeyNorm, sunk, o, attentionPostNorm, mlpNorm, mlp, mlpPostNorm] =
    await Promise.all([
      norm(source.attentionNorm),
      loader.matrix(source.qkv),
      queryNorm && keyNorm && loadQueryKeyNorm(loader, config, queryNorm, keyNorm),
      sinks && loader.vector(sinks.name, sinks.length, () => loader.values(sinks.name)),
      loader.matrix(source.o),
      norm(source.attentionPostNorm),
      norm(source.mlpNorm),
      loadMlp(loader, source.mlp),
      norm(source.mlpPostNorm),
    ])
  const norms = { attentionNorm, queryKeyNorm, attentionPostNorm, mlpNorm, mlpPostNorm }
  return { ...norms, qkv, sinks: sunk, o, mlp }
}

async function loadMlp(loader: WeightLoader, source: MlpSource): Promise<MlpWeights> {
  const matrix = (of: MatrixSource): Promise<Matrix> => loader.matrix(of)
  if (source.kind === 'plain') {
    const [up, down] = await Promise.all([source.up, source.down].map(matrix))
    return { kind: 'plain', up: up as Matrix, down: down as Matrix }
  }
  const [gateUp, down, router] = await Promise.all([
    matrix(source.gateUp),
    matrix(source.down),
    source.kind === 'experts' ? matrix(source.router) : null,
  ])
  return router ? { kind: 'experts', router, gateUp, down } : { kind: 'gated', gateUp, down }
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
  source: NormSource,
): Promise<Norm> {
  const length = roundUp(config.hiddenSize, 32)
  const [weight, bias] = await Promise.all([
    loader.vector(source.weight.name, length, () => normValues(loader, config, source.weight)),
    source.bias && loader.vector(source.bias.name, length, () => loader.values(source.bias!.name)),
  ])
  return { weight, bias }
}

function loadQueryKeyNorm(
  loader: WeightLoader,
  config: DecoderConfig,
  queryNorm: VectorSource,
  keyNorm: VectorSource,
): Promise<GPUBuffer> {
  const { heads, kvHeads, headDim, queryKeyNorm } = config
  const length = (heads + kvHeads) * headDim
  return loader.vector(`${queryNorm.name} and ${keyNorm.name}`, length, async () => {
    const queries = await normValues(loader, config, queryNorm)
    const keys = await normValues(loader, config, keyNorm)
    const turned = rowOrder(config)
    return Float32Array.from({ length }, (_, at) => {
      const head = Math.floor(at / headDim)
      const dimension = turned((at % headDim) >>> 1, at & 1)
      const [values, own] = head < heads ? [queries, head] : [keys, head - heads]
      return values[queryKeyNorm === 'all' ? own * headDim + dimension : dimension] ?? 0
    })
  })
}

function loadPositions(
  loader: WeightLoader,
  name: string,
  { contextLength, hiddenSize }: DecoderConfig,
): Promise<GPUBuffer> {
  const stride = roundUp(hiddenSize, 32)
  return loader.vector(name, contextLength * stride, async () => {
    const values = await loader.values(name)
    const padded = new Float32Array(contextLength * stride)
    for (let i = 0; i < contextLength; i++) {
      padded.set(values.subarray(i * hiddenSize, (i + 1) * hiddenSize), i * stride)
    }
    return padded
  })
}
