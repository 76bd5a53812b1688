/** The loop's side of the port: loads the model, feeds the loop, and tells what happened, once a turn. */
import { performance } from 'node:perf_hooks'
import type { MessagePort } from 'node:worker_threads'
import type { EngineStats, Progress } from '../api.ts'
import { EngineError } from '../errors.ts'
import { toEngineError } from '../failures.ts'
import { type LoadedModel, loadModel } from '../load-model.ts'
import { type Job, Loop } from '../loop.ts'
import { samplingFrom } from '../sampling/sampling.ts'
import { Request } from '../schedule/request.ts'
import type { FromLoop, LoopEvent, PlainError, RequestSpec, ToLoop } from './protocol.ts'

/** Serves one engine over `port`, until it is closed. */
export function serveLoop(port: MessagePort): void {
  const side = new LoopSide(port)
  port.on('message', (message: ToLoop) => side.take(message))
}

class LoopSide {
  readonly #port: MessagePort
  readonly #loading = new AbortController()
  #loaded: Promise<void> = Promise.resolve()
  #model: LoadedModel | null = null
  #loop: Loop | null = null
  readonly #requests = new Map<number, Request>()
  #events: LoopEvent[] = []
  #scheduled = false

  constructor(port: MessagePort) {
    this.#port = port
  }

  take(message: ToLoop): void {
    switch (message.type) {
      case 'load':
        this.#loaded = this.#load(message)
        break
      case 'cancel load':
        this.#loading.abort()
        break
      case 'submit':
        this.#submit(message.number, message.spec)
        break
      case 'end': {
        const request = this.#requests.get(message.number)
        if (request) this.#loop?.end(request, message.ending)
        break
      }
      case 'close':
        void this.#close()
    }
  }

  async #load({ model: name, options }: Extract<ToLoop, { type: 'load' }>): Promise<void> {
    try {
      const onProgress = (progress: Progress): void => this.#post({ type: 'progress', progress })
      const { signal } = this.#loading
      const onFound = (folder: string): void => this.#post({ type: 'found', folder })
      const model = await loadModel(name, { ...options, signal, onProgress, onFound })
      this.#model = model
      this.#loop = new Loop(model, () => this.#schedule())
      const { info, generationConfig, config, sizes } = model
      const facts = { info, generationConfig, eosIds: config.eosIds, drafts: sizes.drafts }
      this.#post({ type: 'loaded', facts, stats: this.#stats(this.#loop) })
    } catch (error) {
      this.#post({ type: 'load failed', error: plain(toEngineError(error)) })
    }
  }

  #submit(number: number, spec: RequestSpec): void {
    const loop = this.#loop
    const model = this.#model
    if (!loop || !model) return
    const { prompt, sampling, sibling, stopIds, ...options } = spec
    const vocabulary = model.config.vocabularySize
    const ready = samplingFrom(sampling, vocabulary)
    const request = new Request(prompt, {
      ...options,
      stopIds: new Set(stopIds),
      sibling: sibling === null ? null : (this.#requests.get(sibling) ?? null),
      stepwise: ready.mask !== null && !ready.mask.isFixed,
    })
    this.#requests.set(number, request)
    const job: Job = {
      request,
      sampling: ready,
      onIds: (ids, details) => this.#tell({ type: 'ids', number, ids, details }),
      onLogits: (first, rows) => this.#tell({ type: 'logits', number, first, rows }),
      onEnd: ({ ending, error }) => {
        this.#requests.delete(number)
        this.#tell(
          ending === null
            ? { type: 'failed', number, error: plain(error) }
            : { type: 'ended', number, ending, cachedTokens: request.cachedTokens ?? 0 },
        )
      },
    }
    try {
      loop.submit(job)
    } catch (error) {
      job.onEnd({ ending: null, error: toEngineError(error) })
    }
  }

  /** What happens in one turn goes in one message. */
  #tell(event: LoopEvent): void {
    this.#events.push(event)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    this.#scheduled = false
    const loop = this.#loop
    if (!loop) return
    const events = this.#events
    this.#events = []
    this.#post({ type: 'turn', events, stats: this.#stats(loop) })
  }

  #stats(loop: Loop): EngineStats {
    const { device, runner } = loop.open
    const { counts } = loop
    const { active, idle } = performance.eventLoopUtilization()
    return {
      adapter: {
        name: device.name,
        vendor: device.vendor,
        kind: device.caps.software ? 'software' : 'gpu',
      },
      memory: device.memory.usage,
      running: counts.running,
      queued: counts.queued,
      pages: counts.pages,
      pageGroups: counts.groups.map((pages, i) => ({
        ...pages,
        window: runner.sizes.groups[i]?.window || null,
      })),
      prefix: { promptTokens: counts.promptTokens, cachedTokens: counts.cachedTokens },
      preemptions: counts.preemptions,
      speculation: { drafted: counts.drafted, accepted: counts.accepted },
      restarts: loop.restarts,
      steps: loop.steps,
      busy: runner.busy,
      loop: { active, idle },
      calls: { ...device.counters },
      dispatchesPerToken: runner.dispatchesPerToken,
    }
  }

  async #close(): Promise<void> {
    this.#loading.abort()
    await this.#loaded
    await this.#loop?.stop(new EngineError('closed', 'The engine was closed.'))
    await Promise.resolve() // what the stop has to tell goes first
    this.#flush()
    this.#post({ type: 'closed' })
    this.#port.close()
  }

  #post(message: FromLoop): void {
    this.#port.postMessage(message)
  }
}

const plain = (error: EngineError): PlainError => ({
  code: error.code,
  message: error.message,
  param: error.param,
  stack: error.stack,
})
