/**
 * The one error class of the tokenizer folder. The engine maps it to its own `EngineError('model')`; nothing here
 * imports the engine.
 */

/** What is wrong: a file is not there, a file is unusable, or the chat template refuses or fails. */
export type TokenizerErrorKind = 'missing' | 'broken' | 'template'

/** Thrown by everything in `tokenizer/`; the message names the file and says what to do. */
export class TokenizerError extends Error {
  override readonly name = 'TokenizerError'
  readonly kind: TokenizerErrorKind

  constructor(kind: TokenizerErrorKind, message: string, options: ErrorOptions = {}) {
    super(message, options)
    this.kind = kind
  }
}
