/**
 * Opens real adapters, each in a process of its own (a driver's state is the process's), computes with them, and
 * checks that the process then ends by itself. `test/run-typescript.mjs` lets the children run our sources.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { Driver } from './adapter-choice.ts'
import { explainNoLavapipe } from './adapter-choice.ts'
import { listAdapters } from './dawn.ts'
import { inspectMachine } from './machine.ts'
import { ensureSwiftShader, swiftShaderUnsupported } from './software-driver.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const noSwiftShader = swiftShaderUnsupported()
const hasLavapipe = (await listAdapters('auto')).some(
  ({ driver, error }) => driver === 'lavapipe' && !error,
)
if (noSwiftShader) process.stderr.write(`skipped: SwiftShader: ${noSwiftShader}\n`)
else await ensureSwiftShader((message) => process.stderr.write(`${message}\n`))
if (!hasLavapipe)
  process.stderr.write(`skipped: lavapipe: ${explainNoLavapipe(inspectMachine())}\n`)

/** Doubles 64 numbers on a device of `opened`; prints what it ran on. */
const COMPUTE = `
async function compute(opened) {
  const device = await opened.adapter.requestDevice()
  const code = '@group(0) @binding(0) var<storage, read_write> y: array<f32>;' +
    '@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) i: vec3u) { y[i.x] = 2 * f32(i.x); }'
  const compute = { module: device.createShaderModule({ code }) }
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute })
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage
  const buffer = device.createBuffer({ size: 256, usage: STORAGE | COPY_SRC })
  const read = device.createBuffer({ size: 256, usage: MAP_READ | COPY_DST })
  const layout = pipeline.getBindGroupLayout(0)
  const encoder = device.createCommandEncoder()
  const pass = encoder.beginComputePass()
  pass.setPipeline(pipeline)
  pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] }))
  pass.dispatchWorkgroups(1)
  pass.end()
  encoder.copyBufferToBuffer(buffer, 0, read, 0, 256)
  device.queue.submit([encoder.finish()])
  await read.mapAsync(GPUMapMode.READ)
  const last = new Float32Array(read.getMappedRange())[63]
  device.destroy()
  console.log(JSON.stringify({ driver: opened.driver, reason: opened.reason, last }))
}
const { openAdapter, openNullAdapter } = await import('./kernels/gpu/dawn.ts')
`

interface Line {
  driver: Driver
  reason: string
  last: number
}

/** Runs `script` after the definitions above; its printed lines. Fails unless the process ends by itself, code 0. */
function inChild(script: string, env: Record<string, string> = {}): Line[] {
  const args = [
    '--import',
    './test/run-typescript.mjs',
    '--input-type=module',
    '--eval',
    COMPUTE + script,
  ]
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, ...env },
  })
  expect(status, `${error ?? ''}${stderr}`).toBe(0)
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

it.skipIf(noSwiftShader)(
  'SwiftShader computes in this process, whatever the system has [needs Linux x64]',
  () => {
    const [line] = inChild(`await compute(await openAdapter('swiftshader'))`)
    expect(line).toMatchObject({ driver: 'swiftshader', last: 126 })
  },
)

it.skipIf(noSwiftShader)(
  'without any installed driver, auto takes SwiftShader and says why [needs Linux x64]',
  () => {
    const env = { VK_ICD_FILENAMES: '/nowhere.json', VK_DRIVER_FILES: '' }
    const [line] = inChild(`await compute(await openAdapter('auto'))`, env)
    expect(line).toMatchObject({ driver: 'swiftshader', last: 126 })
    expect(line?.reason).toMatch(/no GPU was found.*so SwiftShader/)
  },
)

it.skipIf(!hasLavapipe)('lavapipe computes [needs lavapipe]', () => {
  const [line] = inChild(`await compute(await openAdapter(undefined))`, {
    ILLUMINATOR_ADAPTER: 'lavapipe',
  })
  expect(line).toMatchObject({ driver: 'lavapipe', last: 126 })
})

it.skipIf(noSwiftShader || !hasLavapipe)(
  'drivers live side by side, in any order [needs lavapipe and Linux x64]',
  () => {
    const lines = inChild(`
    const empty = await openNullAdapter()
    for (const choice of ['lavapipe', 'swiftshader', 'lavapipe', 'swiftshader']) await compute(await openAdapter(choice))
    if (empty.driver !== 'null') throw new Error(empty.driver)`)
    expect(lines.map(({ driver }) => driver)).toEqual([
      'lavapipe',
      'swiftshader',
      'lavapipe',
      'swiftshader',
    ])
    expect(lines.every(({ last }) => last === 126)).toBe(true)
  },
)

it.skipIf(noSwiftShader)('a worker thread opens SwiftShader by itself [needs Linux x64]', () => {
  const inside = JSON.stringify(`${COMPUTE}await compute(await openAdapter('swiftshader'))`)
  const [line] = inChild(`
    const { Worker } = await import('node:worker_threads')
    new Worker(new URL('data:text/javascript,' + encodeURIComponent(${inside}.replace('./kernels', ${JSON.stringify(`file://${root}kernels`)}))))`)
  expect(line).toMatchObject({ driver: 'swiftshader', last: 126 })
})

it('whatever is collected while a closed device has callbacks to come: nothing crashes', () => {
  const [line] = inChild(`
    const { setFlagsFromString } = await import('node:v8')
    setFlagsFromString('--expose-gc')
    const gc = (await import('node:vm')).runInNewContext('gc')
    const { Device } = await import('./kernels/gpu/device.ts')
    for (let round = 0; round < 10; round++) {
      const device = await Device.open()
      const buffer = await device.memory.readback('x', 4096)
      if (round % 2) void buffer.mapAsync(GPUMapMode.READ).catch(() => undefined)
      device.close()
      gc()
      if (round % 3 === 0) await new Promise(setImmediate)
      gc()
    }
    await compute(await openAdapter())`)
  expect(line).toMatchObject({ last: 126 })
})

it('doctor sees each adapter once, with features and limits, and marks the chosen one', async () => {
  const reports = await listAdapters(noSwiftShader ? 'auto' : 'swiftshader')
  expect(new Set(reports.map(({ name }) => name)).size).toBe(reports.length)
  expect(reports.filter(({ chosen }) => chosen).map(({ driver }) => driver)).toEqual(
    noSwiftShader ? [expect.any(String)] : ['swiftshader'],
  )
  for (const { limits, features, error } of reports.filter((report) => !report.error)) {
    expect(error).toBeUndefined()
    expect(limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27)
    expect(features.length).toBeGreaterThan(0)
  }
})
