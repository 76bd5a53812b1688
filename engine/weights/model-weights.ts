/** The decoder's weights on the GPU: which modules fuse into which matrix, and in what order of rows. */
import { type Device, roundUp } from '../../kernels/index.ts'
import type { DecoderConfig, TensorNames } from '../models/config.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { CheckedTensors } from './expected.ts'
import { type Matrix, type MatrixSource, WeightLoader } from './load.ts'

export interface LayerWeights {
  readonly attentionNorm: GPUBuffer
  readonly qkv: Matrix
  readonly o: Matrix
  readonly mlpNorm: GPUBuffer
  readonly gateUp: Matrix
  readonly down: Matrix
}

export interface ModelWeights {
  readonly embedding: Matrix
  readonly layers: readonly LayerWeights[]
  readonly finalNorm: GPUBuffer
  /** The embedding itself when tied. */
  readonly head: Matrix
}

const one = (
  label: string,
  module: string,
  rows: number,
  columns: number,
  bias: boolean,
): MatrixSource => ({
  label,
  modules: [module],
  rows,
  columns,
  bias,
  place: (row) => ({ module: 0, row }),
})

/** Queries, keys and values; row 2p is dimension i of its head and row 2p + 1 dimension i + headDim / 2. */
function fusedQkv(
  label: string,
  modules: readonly [string, string, string],
  config: DecoderConfig,
): MatrixSource {
  const { heads, kvHeads, headDim } = config
  const half = headDim / 2
  return {
    label,
    modules,
    rows: (heads + 2 * kvHeads) * headDim,
    columns: config.hiddenSize,
    bias: config.attentionBias,
    place(row) {
      const pair = row >>> 1
      const head = Math.floor(pair / half)
      const dimension = (pair % half) + (row & 1) * half
      if (head < heads) return { module: 0, row: head * headDim + dimension }
      const kvHead = head - heads
      return kvHead < kvHeads
        ? { module: 1, row: kvHead * headDim + dimension }
        : { module: 2, row: (kvHead - kvHeads) * headDim + dimension }
    },
  }
}

/** Gate and up rows in turn. */
const fusedGateUp = (
  label: string,
  modules: readonly [string, string],
  config: DecoderConfig,
): MatrixSource => ({
  label,
  modules,
  rows: 2 * config.intermediateSize,
  columns: config.hiddenSize,
  bias: config.mlpBias,
  place: (row) => ({ module: row & 1, row: row >>> 1 }),
})

/** Uploads everything. Throws EngineError('model') or GpuError; buffers made by then are the device's to free. */
export async function loadWeights(
  device: Device,
  checkpoint: Checkpoint,
  config: DecoderConfig,
  names: TensorNames,
  checked: CheckedTensors,
  onBytes: (bytes: number) => void,
): Promise<ModelWeights> {
  const loader = new WeightLoader(device, checkpoint, checked.formats, onBytes)
  const { hiddenSize: hidden, vocabularySize: vocabulary, intermediateSize: inner } = config
  const vector = (module: string): Promise<GPUBuffer> =>
    loader.vector(`${module}.weight`, roundUp(hidden, 32))
  const embedding = await loader.matrix(
    one('embedding', names.embedding, vocabulary, hidden, false),
  )
  const layers: LayerWeights[] = []
  for (let i = 0; i < config.layers; i++) {
    const layer = names.layer(i)
    const queries = config.heads * config.headDim
    layers.push({
      attentionNorm: await vector(layer.attentionNorm),
      qkv: await loader.matrix(fusedQkv(`layer ${i} qkv`, [layer.q, layer.k, layer.v], config)),
      o: await loader.matrix(one(`layer ${i} o`, layer.o, hidden, queries, config.outputBias)),
      mlpNorm: await vector(layer.mlpNorm),
      gateUp: await loader.matrix(
        fusedGateUp(`layer ${i} gate-up`, [layer.gate, layer.up], config),
      ),
      down: await loader.matrix(one(`layer ${i} down`, layer.down, hidden, inner, config.mlpBias)),
    })
  }
  const finalNorm = await vector(names.finalNorm)
  const head =
    checked.head === names.embedding
      ? embedding
      : await loader.matrix(one('head', checked.head, vocabulary, hidden, false))
  return { embedding, layers, finalNorm, head }
}
