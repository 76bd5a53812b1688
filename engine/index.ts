/**
 * illuminator: language models on WebGPU, from Node.
 *
 * @example
 * ```ts
 * import { Engine } from 'illuminator'
 *
 * const engine = await Engine.load()
 * for await (const { text } of engine.chat([{ role: 'user', content: 'Hello' }])) process.stdout.write(text)
 * await engine.close()
 * ```
 * @module
 */
export type * from './api.ts'
export { Engine } from './engine.ts'
export { EngineError, type ErrorCode } from './errors.ts'
export {
  type ImportedGguf,
  type ImportGgufOptions,
  type ImportProgress,
  importGguf,
} from './import-gguf.ts'
export type { LogitsResult } from './logits.ts'
export {
  type QuantizedModel,
  type QuantizeModelOptions,
  type QuantizeProgress,
  quantizeModel,
} from './quantize-model.ts'
