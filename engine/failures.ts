/** Errors of the layers below, told as EngineErrors. */
import { GpuError } from '../kernels/errors.ts'
import { EngineError } from './errors.ts'

/** An EngineError with the same message; what is one already passes through. */
export function toEngineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof GpuError) return new EngineError('gpu', message, { cause: error })
  if (error instanceof Error && error.name === 'AbortError') {
    return new EngineError('aborted', 'The request was cancelled.', { cause: error })
  }
  return new EngineError('gpu', `The engine failed: ${message}`, { cause: error })
}
