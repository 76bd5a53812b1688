/** The caller's side of the port: starts the worker, loads, submits, and hands what comes back to whoever waits for it. */
import { extname } from 'node:path'
import { MessageChannel, type MessagePort, SHARE_ENV, Worker } from 'node:worker_threads'
import type { EngineStats, LoadOptions } from '../api.ts'
import { EngineError } from '../errors.ts'
import type { LogprobDetail } from '../runner/outcomes.ts'
import type { Ending } from '../schedule/request.ts'
import { loadingFlags } from './loading-flags.ts'
import type {
  FromLoop,
  LoadedFacts,
  LoopEvent,
  PlainError,
  PlainLoadOptions,
  RequestSpec,
  ToLoop,
} from './protocol.ts'

/** What becomes of a request. */
export interface RequestListener {
  onIds?(ids: readonly number[], details: readonly LogprobDetail[] | null): void
  onLogits?(first: number, rows: readonly Float32Array[]): void
  onEnd(ending: Ending, cachedTokens: number): void
  onError(error: EngineError): void
}

/** A port, and what to do when the other side is gone. */
interface Line {
  post(message: ToLoop): void
  listen(take: (message: FromLoop) => void, gone: (why: string) => void): void
  /** After `closed`: resolves when nothing of the other side is left. */
  end(): Promise<void>
}

/** From sources this file is .ts, built it is .js. */
const ENTRY = new URL(`./main${extname(import.meta.url)}`, import.meta.url)
/** Engines that this process has begun to load: workers, whose modules are their own, cannot tell. */
let loads = 0
/** A worker that does not end by itself is ended, ms. */
const PATIENCE = 5000

/**
 * Flags for a worker. Node hands on the process's own, and refuses those of V8 where they are said again; but one that speaks
 * of a program given on the command line must not come along, so then it gets those that modules are loaded with.
 */
export function workerFlags(flags: readonly string[]): { execArgv?: string[] } {
  const hasProgram = flags.some((flag) => /^--input-type\b/.test(flag))
  return hasProgram ? { execArgv: loadingFlags(flags) } : {}
}

function workerLine(): Line {
  const worker = new Worker(ENTRY, {
    name: 'illuminator',
    ...workerFlags(process.execArgv),
    env: SHARE_ENV, // drivers read what is set there before an adapter is opened
  })
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  return {
    post: (message) => worker.postMessage(message),
    listen(take, gone) {
      worker.on('message', take)
      worker.on('error', (error) => gone(`it threw ${error.stack ?? error.message}`))
      worker.on('exit', (code) => gone(`it ended with code ${code}`))
    },
    async end() {
      const timer = setTimeout(() => void worker.terminate(), PATIENCE)
      await exited
      clearTimeout(timer)
    },
  }
}

/** Both sides in one thread, for tests that look behind the port. */
async function threadLine(): Promise<Line> {
  const { serveLoop } = await import('./loop-side.ts')
  const { port1, port2 }: { port1: MessagePort; port2: MessagePort } = new MessageChannel()
  serveLoop(port2)
  return {
    post: (message) => port1.postMessage(message),
    listen: (take) => void port1.on('message', take),
    async end() {
      port1.close()
    },
  }
}

export class HostSide {
  readonly #line: Line
  readonly #listeners = new Map<number, RequestListener>()
  #facts: LoadedFacts | null = null
  #stats: EngineStats | null = null
  #next = 0
  #gone: EngineError | null = null
  #closed: () => void = () => undefined

  private constructor(line: Line) {
    this.#line = line
  }

  /**
   * Starts the other side and loads a model there. Throws EngineError; nothing is left running when it does.
   * @param read what the caller makes of the model's folder, beside the loading
   */
  static async load<T>(
    model: string | undefined,
    options: PlainLoadOptions & Pick<LoadOptions, 'signal' | 'onProgress'>,
    read: (folder: string) => Promise<T>,
  ): Promise<[HostSide, T]> {
    const { signal, onProgress, ...plain } = options
    if (model !== undefined && typeof model !== 'string') {
      const message = `model must be a folder or an id like "owner/name"; it is ${typeof model}.`
      throw new EngineError('bad_request', message, { param: 'model' })
    }
    if (signal?.aborted) throw new EngineError('aborted', 'The request was cancelled.')
    const side = new HostSide(options.device?.inThread ? await threadLine() : workerLine())
    const cancel = (): void => side.#line.post({ type: 'cancel load' })
    signal?.addEventListener('abort', cancel)
    try {
      const made = await new Promise<T>((resolve, reject) => {
        let reading: Promise<T>
        side.#line.listen(
          (message) => {
            if (message.type === 'progress') onProgress?.(message.progress)
            else if (message.type === 'found') {
              reading = read(message.folder)
              // It is awaited once all is loaded; what fails before that is told first.
              reading.catch(() => undefined)
            } else if (message.type === 'loaded') {
              side.#facts = message.facts
              side.#stats = message.stats
              resolve(reading)
            } else if (message.type === 'load failed') reject(toError(message.error))
            else side.#take(message)
          },
          (why) => {
            side.#fail(new EngineError('gpu', `The engine's worker is gone: ${why}`))
            reject(side.#gone)
          },
        )
        const isFirstOfProcess = loads++ === 0
        side.#line.post({ type: 'load', model, options: { ...plain, isFirstOfProcess } })
      })
      return [side, made]
    } catch (error) {
      await side.close()
      throw error
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  get facts(): LoadedFacts {
    return this.#facts as LoadedFacts
  }

  /** As of the last turn; what was handed over since then counts as queued. */
  get stats(): EngineStats {
    const stats = this.#stats as EngineStats
    const queued = Math.max(stats.queued, this.#listeners.size - stats.running)
    return { ...stats, queued }
  }

  /** Hands a request over; its number. Throws EngineError when the other side is gone. */
  submit(spec: RequestSpec, listener: RequestListener): number {
    if (this.#gone) throw this.#gone
    const number = this.#next++
    this.#listeners.set(number, listener)
    this.#line.post({ type: 'submit', number, spec })
    return number
  }

  /** Ends a request early. Nothing more is heard of it. */
  end(number: number, ending: Ending): void {
    if (!this.#listeners.delete(number) || this.#gone) return
    this.#line.post({ type: 'end', number, ending })
  }

  /** Requests that are neither done nor given up. */
  get open(): number {
    return this.#listeners.size
  }

  /** Ends every request with `closed`, frees the GPU, ends the worker. */
  async close(): Promise<void> {
    if (!this.#gone) {
      const closed = new Promise<void>((resolve) => {
        this.#closed = resolve
      })
      this.#line.post({ type: 'close' })
      await closed
    }
    await this.#line.end()
  }

  #take(message: FromLoop): void {
    if (message.type === 'closed') {
      this.#fail(new EngineError('closed', 'The engine was closed.'))
      this.#closed()
    } else if (message.type === 'turn') {
      this.#stats = message.stats
      for (const event of message.events) this.#tell(event)
    }
  }

  #tell(event: LoopEvent): void {
    const listener = this.#listeners.get(event.number)
    if (!listener) return
    if (event.type === 'ids') listener.onIds?.(event.ids, event.details)
    else if (event.type === 'logits') listener.onLogits?.(event.first, event.rows)
    else {
      this.#listeners.delete(event.number)
      if (event.type === 'ended') listener.onEnd(event.ending, event.cachedTokens)
      else listener.onError(toError(event.error))
    }
  }

  #fail(error: EngineError): void {
    this.#gone ??= error
    const listeners = [...this.#listeners.values()]
    this.#listeners.clear()
    for (const listener of listeners) listener.onError(this.#gone)
    this.#closed()
  }
}

function toError({ code, message, param, stack }: PlainError): EngineError {
  const cause = stack === undefined ? {} : { cause: new Error(stack) }
  return new EngineError(code, message, { ...cause, ...(param === undefined ? {} : { param }) })
}
