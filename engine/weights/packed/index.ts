/** The packed forms that are read; a new one is a file beside this and a line here. */
import { EngineError } from '../../errors.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { isJsonObject, type JsonObject, show } from '../json.ts'
import { awq } from './awq.ts'
import { compressedTensors } from './compressed-tensors.ts'
import { type Form, packedSource } from './form.ts'
import { fp8 } from './fp8.ts'
import { gptq } from './gptq.ts'
import { UnpackedCheckpoint } from './unpacked-checkpoint.ts'

const FORMS: readonly Form[] = [gptq, awq, compressedTensors, fp8]

const PLAIN = new Set(['F32', 'F16', 'BF16'])

/** Where a config says how its weights are packed; the last is an old name. */
const KEYS = ['quantization', 'quantization_config', 'compression_config'] as const

/**
 * A checkpoint as plain numbers and MLX's affine form, whatever its `quant_method`; the checkpoint itself where its config
 * states none.
 *
 * @throws EngineError('model') naming quant_method and tensor, for a form that is not known or a tensor that is not as
 *   the form has it
 */
export async function unpacked(checkpoint: Checkpoint): Promise<Checkpoint> {
  const settings = KEYS.map((key) => checkpoint.config[key]).find(
    (value): value is JsonObject =>
      isJsonObject(value) && value.quant_method !== undefined && value.quant_method !== null,
  )
  if (!settings) return checkpoint
  const form = FORMS.find(({ method }) => method === settings.quant_method)
  if (!form) throw unknownForm(checkpoint, settings)
  const modules = await form.modules(packedSource(checkpoint, settings))
  const {
    quantization: _,
    quantization_config: __,
    compression_config: ___,
    ...config
  } = checkpoint.config
  return new UnpackedCheckpoint(checkpoint, config, modules, form.idle)
}

function unknownForm(checkpoint: Checkpoint, { quant_method: method }: JsonObject): EngineError {
  const names = checkpoint.names()
  const tensor = names.find((name) => !PLAIN.has(checkpoint.info(name).dtype)) ?? names[0]
  const known = FORMS.map((form) => form.method).join(', ')
  return new EngineError(
    'model',
    `${checkpoint.folder}: "quant_method" is ${show(method)}, which is not known; tensor "${tensor}" is packed by it. ` +
      `Known: ${known}, and MLX's affine 4 and 8 bits. Use such a version of the model, or one in BF16, F16 or F32.`,
  )
}
