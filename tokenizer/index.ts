/** Text to ids and back, chat templates, and the incremental decoder. Depends on nothing else of this package. */

export { ChatTemplate, type RenderOptions, type TemplateMessage } from './chat-template.ts'
export { Detokenizer, type DetokenizerOptions } from './detokenizer.ts'
export { TokenizerError, type TokenizerErrorKind } from './errors.ts'
export { type DecodeOptions, type EncodeOptions, Tokenizer } from './tokenizer.ts'
