/** What went wrong, for programs. The server maps each code to an HTTP status in one table. */
export type ErrorCode =
  | 'bad_request' // a parameter is wrong; `param` names it
  | 'context_length' // prompt (plus requested tokens) does not fit the context
  | 'model_not_found' // no such model, and no source could provide it
  | 'model' // the checkpoint, its config or its tokenizer is broken or unsupported
  | 'overloaded' // the queue is full
  | 'aborted' // the caller's signal fired
  | 'timeout' // the request's time was up
  | 'gpu' // no adapter, out of memory, device lost, invalid kernel
  | 'closed' // the engine was closed

/** The one error class of the engine: a code for programs and a message for the person who reads it. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: ErrorCode
  /** The request parameter at fault, where there is one. */
  readonly param: string | undefined

  constructor(code: ErrorCode, message: string, options: ErrorOptions & { param?: string } = {}) {
    super(message, options)
    this.code = code
    this.param = options.param
  }
}
