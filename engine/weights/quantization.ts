/** What quantizing a model on load means for each of its matrices: which are packed, in how many bits, in which groups. */
import { QUANTIZE_TYPES, type QuantizeType } from '../api.ts'
import { EngineError } from '../errors.ts'
import type { DecoderConfig, QuantizationConfig } from '../models/config.ts'
import type { CheckedTensors } from './expected.ts'
import { layerSource } from './layout.ts'
import { type MatrixSource, matrixOf, tensorOf } from './sources.ts'

type Group = QuantizationConfig['groupSize']

/** Columns that share a scale where nobody says. */
const DEFAULT_GROUP = 32
const GROUPS: readonly Group[] = [128, 64, 32]

/** `int4/64` → 4 bits in groups of 64. Throws EngineError('bad_request') for what is none of the types. */
export function readQuantize(type: QuantizeType): QuantizationConfig {
  if (!QUANTIZE_TYPES.includes(type)) {
    const message = `quantize must be one of ${QUANTIZE_TYPES.join(', ')}; it is ${String(type)}.`
    throw new EngineError('bad_request', message, { param: 'quantize' })
  }
  const [name, group = DEFAULT_GROUP] = type.split('/')
  return {
    kind: 'affine',
    bits: name === 'int8' ? 8 : 4,
    groupSize: Number(group) as Group,
  }
}

/** The matrices of a model that may be quantized: all but the routers of experts, which choose by small differences. */
function matricesOf(config: DecoderConfig, { names, head }: CheckedTensors): MatrixSource[] {
  const { hiddenSize: hidden, vocabularySize: vocabulary } = config
  const layers = Array.from({ length: config.layers }, (_, i) => {
    const { qkv, o, mlp } = layerSource(config, names, i)
    return [qkv, o, mlp.kind === 'plain' ? mlp.up : mlp.gateUp, mlp.down]
  })
  const ends = [...new Set([names.embedding, head])]
  return [...ends.map((path) => matrixOf(path, path, vocabulary, hidden)), ...layers.flat()]
}

/**
 * How each matrix is packed, by module path. Embedding and head take 8 bits; a matrix whose columns the group does not
 * divide takes the largest smaller one that does, and one that none divides stays as it is, and is not in the map.
 * @throws EngineError('bad_request') for a model that is quantized already: it would lose twice
 */
export function quantizedModules(
  folder: string,
  config: DecoderConfig,
  checked: CheckedTensors,
  type: QuantizeType | undefined,
): ReadonlyMap<string, QuantizationConfig> {
  const modules = new Map<string, QuantizationConfig>()
  if (type === undefined) return modules
  const wanted = readQuantize(type)
  for (const [module, format] of checked.formats) {
    if (format.kind === 'float') continue
    const message =
      `${folder} is quantized already: "${module}" has ${format.bits} bits in groups of ${format.groupSize}. ` +
      'quantize takes weights of BF16, F16 or F32, since quantizing twice would lose twice. ' +
      'Leave it out to use this model as it is, or name the model that this one was made from.'
    throw new EngineError('bad_request', message, { param: 'quantize' })
  }
  for (const { modules: stored, columns } of matricesOf(config, checked)) {
    const groupSize = GROUPS.find((group) => group <= wanted.groupSize && columns % group === 0)
    if (!groupSize) continue
    for (const { path } of stored) {
      const isEnd = path === checked.names.embedding || path === checked.head
      modules.set(path, { ...wanted, groupSize, bits: isEnd ? 8 : wanted.bits })
    }
  }
  return modules
}

/**
 * @throws EngineError('bad_request') for a matrix that the affine form has no room for: stored by columns, or stacked, as
 *   in GPT-2 and gpt-oss
 */
export function checkStorable(
  folder: string,
  config: DecoderConfig,
  checked: CheckedTensors,
): void {
  for (const { modules } of matricesOf(config, checked)) {
    const other = modules.find(({ transposed, stack }) => transposed || stack)
    if (!other) continue
    const message =
      `${folder}: "${tensorOf(other)}" is stored by columns or stacked, which a quantized folder cannot be. ` +
      'Quantize this model each time that it is loaded: --quantize, or Engine.load(…, { quantize }).'
    throw new EngineError('bad_request', message, { param: 'source' })
  }
}
