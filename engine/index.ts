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
export { importGguf, quantizeModel } from './conversions.ts'
export { Engine } from './engine.ts'
export { EngineError, type ErrorCode } from './errors.ts'
export type { ImportedGguf, ImportGgufOptions, ImportProgress } from './import-gguf.ts'
export type { LogitsResult } from './logits.ts'
export type { QuantizedModel, QuantizeModelOptions, QuantizeProgress } from './quantize-model.ts'
