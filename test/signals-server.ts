/** The process of `signals.test.ts`: the command line as it is, over a fake engine that is slow or never loads. */
import { processIo } from '../cli/io.ts'
import { parts } from '../cli/open-engine.ts'
import { runCli } from '../cli/program.ts'
import type { LoadOptions } from '../engine/api.ts'
import { EngineError } from '../engine/errors.ts'
import { FakeCliEngine } from './cli-terminal.ts'

const [kind, ...args] = process.argv.slice(2)

function openEngine(_: string | undefined, { signal }: LoadOptions): Promise<FakeCliEngine> {
  if (kind !== 'loading') {
    return Promise.resolve(new FakeCliEngine({ rate: 20, words: Array<string>(1000).fill('a') }))
  }
  return new Promise((_resolve, reject) => {
    const alive = setInterval(() => {}, 1000)
    signal?.addEventListener('abort', () => {
      clearInterval(alive)
      reject(new EngineError('aborted', 'The load was stopped.'))
    })
  })
}

process.exitCode = await runCli(args, { io: processIo(), parts: { ...parts, openEngine } })
