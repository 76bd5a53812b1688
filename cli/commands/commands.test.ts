/** Doctor and serve against fakes. */
import { describe, expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import { run, start } from '../../test/cli-terminal.ts'
import { serveFake } from '../../test/served-fake.ts'

describe('doctor', () => {
  const adapter = {
    driver: 'lavapipe' as const,
    name: 'llvmpipe',
    vendor: 'mesa',
    features: ['shader-f16'],
    limits: { maxBufferSize: 4096 },
    chosen: true,
    reason: 'no GPU was found',
  }
  const stored = { bytes: 1, architecture: null, weights: null, contextLength: null }
  const models = ['a/b', 'HuggingFaceTB/SmolLM2-135M-Instruct'].map((id) => ({
    id,
    folder: `/models/${id}`,
    ...stored,
  }))

  test('shows adapters and a self-test with live buffers', async () => {
    const { code, stdout, loads } = await run(['doctor'], {
      parts: { listAdapters: async () => [adapter] },
      hub: { listModels: async () => models },
    })
    expect(code).toBe(0)
    expect(stdout).toContain('* lavapipe, llvmpipe, mesa')
    expect(stdout).toContain('chosen: no GPU was found')
    expect(stdout).toContain('shader-f16')
    expect(stdout).toContain('maxBufferSize 4096')
    expect(stdout).toMatch(/passed: fake\/tiny-1 made 8 tokens/)
    expect(stdout).toContain('weights: 100.0 MB')
    expect(loads[0]?.model).toBe('HuggingFaceTB/SmolLM2-135M-Instruct')
  })

  test('runs no model that is not here', async () => {
    const { code, stdout, loads } = await run(['doctor', '--json'], {
      parts: { listAdapters: async () => [adapter] },
    })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      adapters: [adapter],
      self_test: { passed: false, skipped: true },
    })
    expect(loads).toEqual([])
  })

  test('looks at the configured server, too', async () => {
    const parts = { listAdapters: async () => [adapter] }
    const server = await serveFake()
    const env = { ILLUMINATOR_URL: server.url, ILLUMINATOR_MODEL: 'is/not-fetched' }
    const up = await run(['doctor'], { parts, env })
    expect(up).toMatchObject({ code: 0, loads: [] })
    expect(up.stdout).toContain(`Server\n  ${server.url} has fake/tiny-1\n`)
    await server.close()
    const down = await run(['doctor', '--json', '--url', server.url], { parts })
    expect(down.code).toBe(1)
    expect(JSON.parse(down.stdout)).toMatchObject({ server: { url: server.url, answers: false } })
    expect(down.stderr).toContain(`No server listens at ${server.url}.`)
  })

  test('no adapter and a failed self-test end with 1', async () => {
    const none = await run(['doctor'])
    expect(none.code).toBe(1)
    expect(none.stdout).toContain('none')
    const failed = await run(['doctor', '--model', 'm'], {
      parts: { listAdapters: async () => [adapter] },
      engine: { failAfter: { tokens: 1, error: new EngineError('gpu', 'device lost') } },
    })
    expect(failed.code).toBe(1)
    expect(failed.stdout).toContain('FAILED: device lost')
  })
})

describe('serve', () => {
  test('listens, prints a curl line, and ends with 0 on SIGTERM', async () => {
    const started = start(['serve', '--port', '0', '--model', 'models/tiny-chat'])
    await expect.poll(started.out).toContain('curl -N')
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(started.out())?.[0]
    expect(started.out()).toContain(`Try it in a browser, ${url}/, or:`)
    const response = await fetch(`${url}/v1/models/tiny-chat`)
    expect(response.status).toBe(200)
    process.emit('SIGTERM', 'SIGTERM')
    expect(await started.done).toBe(0)
    expect(started.engine.closed).toBe(true)
    expect(started.err()).toContain('SIGTERM')
  })

  test('a model that cannot load ends with 1', async () => {
    const error = new EngineError('model_not_found', 'no such model')
    const { code, stderr } = await run(['serve', '--port', '0'], {
      parts: { openEngine: () => Promise.reject(error) },
    })
    expect(code).toBe(1)
    expect(stderr).toContain('illuminator: no such model')
  })

  test('a signal during the load ends with 0', async () => {
    const started = start(['serve', '--port', '0'], {
      parts: {
        openEngine: (_, { signal }) =>
          new Promise((_resolve, reject) => {
            signal?.addEventListener('abort', () => reject(new EngineError('aborted', 'cut')))
          }),
      },
    })
    await expect.poll(started.out).toContain('listens on')
    process.emit('SIGINT', 'SIGINT')
    expect(await started.done).toBe(0)
  })
})
