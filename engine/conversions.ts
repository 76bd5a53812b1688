/** What makes a model folder of another: an engine needs none of it, so that the code is loaded at the first call. */
import type { ImportedGguf, ImportGgufOptions } from './import-gguf.ts'
import type { QuantizedModel, QuantizeModelOptions } from './quantize-model.ts'

/**
 * Writes the model in a GGUF file (a split one is named by any of its parts) as a folder of safetensors, config and
 * tokenizer. Weights keep their numbers where a type is affine in runs of 32, which most are; others take 8 bits, and a
 * warning says which.
 * @throws EngineError('bad_request') where the target is there already, or is no place for a model; EngineError('model')
 *   for a file that is damaged or not read; EngineError('aborted')
 */
export async function importGguf(
  path: string,
  options: ImportGgufOptions = {},
): Promise<ImportedGguf> {
  const code = await import('./import-gguf.ts')
  return code.importGguf(path, options)
}

/**
 * Writes `source`, a folder or an id, quantized into the folder `target`, with its tokenizer and whatever else there is.
 * `Engine.load(target)` then gives the very numbers of `Engine.load(source, { quantize })` on the same adapter.
 * @throws EngineError('bad_request') where `target` is there already, or `source` is quantized already; else as `load`
 */
export async function quantizeModel(
  source: string,
  target: string,
  options: QuantizeModelOptions = {},
): Promise<QuantizedModel> {
  const code = await import('./quantize-model.ts')
  return code.quantizeModel(source, target, options)
}
