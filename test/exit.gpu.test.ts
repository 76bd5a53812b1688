/** After `close()` nothing of Dawn, drivers or timers may hold the process, or crash it on its way out: every time. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeFolder } from '../engine/weights/fixture.ts'
import { exitCode, runCommand, startModule } from './command-line.ts'
import { type RandomLlama, writeRandomLlama } from './random-llama.ts'
import { SLOW } from './slow-adapter.ts'

// SwiftShader keeps no compiled shaders: every start takes it seconds.
const RUNS = SLOW ? 10 : 50
/** Milliseconds that a process may live on after `close()`. */
const LIMIT = 1000

let model: RandomLlama
beforeAll(async () => {
  model = await writeRandomLlama({ seed: 5, text: true })
  // Builds `dist`.
  expect(await runCommand(['cli', '--version'])).toMatchObject({ code: 0 })
})
afterAll(() => model && removeFolder(model.folder))

async function live(): Promise<string> {
  const child = startModule(`
    import { Engine } from './dist/engine/index.js'
    const engine = await Engine.load(${JSON.stringify(model.folder)}, { contextLength: 64 })
    const { ids } = await engine.generate([5, 6, 7], { temperature: 0, maxTokens: 5 }).result()
    await engine.close()
    console.log('closed after ' + ids.length)
  `)
  let output = ''
  let closed = Number.NaN
  child.stdout?.on('data', (data: Buffer) => {
    output += data
    closed = performance.now()
  })
  let errors = ''
  child.stderr?.on('data', (data: Buffer) => (errors += data))
  const code = await exitCode(child)
  const took = performance.now() - closed
  if (code === 0 && output.trim() === 'closed after 5' && took < LIMIT) return 'ok'
  return `exit code ${code} ${took} ms after close(), stdout ${output}, stderr ${errors}`
}

test(`${RUNS} of ${RUNS} processes end by themselves within a second of close()`, async () => {
  const outcomes: string[] = []
  const worker = async (): Promise<void> => {
    for (let i = 0; i < RUNS / 2; i++) outcomes.push(await live())
  }
  await Promise.all([worker(), worker()])
  expect(outcomes).toEqual(Array(RUNS).fill('ok'))
})
