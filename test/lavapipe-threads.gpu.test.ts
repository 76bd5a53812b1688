/** The worker's choice of threads for lavapipe reaches the driver, which reads the process's environment. */
import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import { removeFolder } from '../engine/weights/fixture.ts'
import { setLavapipeThreads } from '../kernels/gpu/lavapipe-threads.ts'
import { Device } from '../kernels/index.ts'
import { exitCode, runCommand, startModule } from './command-line.ts'
import { writeRandomLlama } from './random-llama.ts'

const device = await Device.open()
const isLavapipe = device.driver === 'lavapipe'
device.close()

/** Threads of a process that has answered, started with `LP_NUM_THREADS` as `threads` says. */
async function threadsAfter(folder: string, threads: string): Promise<number> {
  const child = startModule(
    `
    import { readdirSync } from 'node:fs'
    import { Engine } from './dist/engine/index.js'
    const engine = await Engine.load(${JSON.stringify(folder)}, { contextLength: 64 })
    await engine.generate([5, 6, 7], { temperature: 0, maxTokens: 2 }).result()
    console.log(readdirSync('/proc/self/task').length)
    await engine.close()`,
    { LP_NUM_THREADS: threads },
  )
  let output = ''
  child.stdout?.on('data', (data: Buffer) => (output += data))
  expect(await exitCode(child)).toBe(0)
  return Number(output)
}

test.skipIf(!isLavapipe)(
  'an engine has lavapipe compute with twice as many threads as cores [needs lavapipe]',
  async () => {
    // Builds `dist`.
    expect(await runCommand(['cli', '--version'])).toMatchObject({ code: 0 })
    const told: NodeJS.ProcessEnv = {}
    setLavapipeThreads(told)
    const { folder } = await writeRandomLlama({ seed: 5, text: true })
    try {
      // Each device has as many: the engine's own, and one that may still be there to compile beside it.
      const more = (await threadsAfter(folder, '')) - (await threadsAfter(folder, '0'))
      expect(more).toBeGreaterThanOrEqual(Number(told.LP_NUM_THREADS ?? availableParallelism()))
    } finally {
      await removeFolder(folder)
    }
  },
)
