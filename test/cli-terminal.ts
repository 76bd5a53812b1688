/** For tests of the commands: a terminal made of streams, and parts that need no model. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { CliEngine, Hub, Parts } from '../cli/open-engine.ts'
import { runCli } from '../cli/program.ts'
import type { LoadOptions } from '../engine/api.ts'
import { FakeEngine, type FakeOptions } from '../server/fake-engine.ts'
import * as server from '../server/index.ts'

/** The server's fake engine, with logits. */
export class FakeCliEngine extends FakeEngine implements CliEngine {
  logitCalls: unknown[] = []
  last = Float32Array.of(0.1, -2, 3)

  async logits(ids: readonly number[], options: { all?: boolean; greedy?: number } = {}) {
    this.logitCalls.push({ ids, options })
    const greedy = Array.from({ length: options.greedy ?? 0 }, (_, at) => at)
    return { last: this.last, all: options.all ? ids.map(() => this.last) : null, greedy }
  }
}

/** A folder that nobody has and no command writes to, unless a test names another. */
const NOWHERE = join(tmpdir(), `illuminator-test-${process.pid}`, 'config')

export interface Setting {
  engine?: FakeOptions
  /** Text on stdin; absent: a terminal, whose lines `type` sends. */
  stdin?: string
  env?: Record<string, string>
  parts?: Partial<Parts>
  hub?: Partial<Hub>
}

/** Runs a command line against fakes; `done` resolves with the exit code. */
export function start(args: readonly string[], setting: Setting = {}) {
  const engine = new FakeCliEngine(setting.engine)
  const loads: { model: string | undefined; options: LoadOptions }[] = []
  const handlers = new Set<() => void>()
  const stdin = Object.assign(new PassThrough(), { isTTY: setting.stdin === undefined })
  if (setting.stdin !== undefined) stdin.end(setting.stdin)
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const out = gather(stdout)
  const err = gather(stderr)
  const parts: Parts = {
    async openEngine(model, options) {
      loads.push({ model, options })
      options.onProgress?.({ phase: 'weights', done: 1e6, total: 1e6 })
      return engine
    },
    async importGguf(source, { target = 'imported', ...options } = {}) {
      options.onProgress?.({ phase: 'import', done: 4e6, total: 4e6 })
      return {
        id: target,
        source,
        folder: `/models/${target}`,
        architecture: 'LlamaForCausalLM',
        weights: 'affine-4bit/32',
        sourceBytes: 4e6,
        bytes: 4e6,
        warnings: [],
      }
    },
    async quantizeModel(id, folder, options = {}) {
      options.onProgress?.({ phase: 'quantize', done: 4e6, total: 4e6 })
      const sizes = { sourceBytes: 4e6, bytes: 1e6 }
      return {
        id,
        source: `/models/${id}`,
        folder,
        weights: `affine-${options.quantize}`,
        ...sizes,
      }
    },
    listAdapters: async () => [],
    hub: async () => ({
      DEFAULT_MODEL: 'HuggingFaceTB/SmolLM2-135M-Instruct',
      listModels: async () => [],
      modelIdOf: async (id) => id,
      readOrigin: async () => null,
      resolveModel: async (id) => ({ id, folder: `/models/${id}`, source: 'a fake' }),
      removeModel: async (id) => ({ folder: `/models/${id}`, bytes: 2e6 }),
      ...setting.hub,
    }),
    server: async () => server,
    start: () => import('../server/start.ts'),
    bench: async () => 0,
    ...setting.parts,
  }
  const io = {
    stdin,
    stdout,
    stderr,
    // No test touches the user's own keys and settings.
    env: { ILLUMINATOR_DATA: ':memory:', XDG_CONFIG_HOME: NOWHERE, ...setting.env },
    onInterrupt(handler: () => void) {
      handlers.add(handler)
      return () => handlers.delete(handler)
    },
  }
  return {
    engine,
    loads,
    out,
    err,
    interrupt: () => {
      for (const handler of handlers) handler()
    },
    type: (text: string) => stdin.write(text),
    handlers,
    done: runCli(args, { io, parts }),
  }
}

function gather(stream: PassThrough): () => string {
  let text = ''
  stream.on('data', (chunk) => {
    text += String(chunk)
  })
  return () => text
}

/** Runs a command line to its end. */
export async function run(args: readonly string[], setting: Setting = {}) {
  const started = start(args, setting)
  const code = await started.done
  return { code, stdout: started.out(), stderr: started.err(), ...started }
}
