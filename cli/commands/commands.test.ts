/** Chat, doctor and serve against fakes. */
import { describe, expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import { run, start } from '../../test/cli-terminal.ts'

describe('chat', () => {
  const words = ['Hi', ' there']

  test('keeps the conversation, and forgets it on /clear', async () => {
    const stdin = 'one\ntwo\n/clear\nthree\n/help\n/nonsense\n/bye\nnever\n'
    const args = ['chat', '--system-message', 'Be brief']
    const { code, stdout, stderr, engine } = await run(args, { stdin, engine: { words } })
    expect(code).toBe(0)
    expect(stdout).toBe('Hi there\nHi there\nHi there\n')
    expect(stderr).toMatch(/forget the conversation/)
    expect(stderr).toMatch(/No command \/nonsense/)
    const system = { role: 'system', content: 'Be brief' }
    expect(engine.calls).toHaveLength(3)
    expect(engine.calls[2]?.prompt).toMatchObject([system, { role: 'user', content: 'three' }])
    expect(engine.closed).toBe(true)
  })

  test('sends earlier answers along', async () => {
    const started = start(['chat'], { stdin: 'one\ntwo\n', engine: { words } })
    const seen: unknown[] = []
    const { engine } = started
    const chat = engine.chat.bind(engine)
    engine.chat = (messages, options) => {
      seen.push(structuredClone(messages))
      return chat(messages, options)
    }
    expect(await started.done).toBe(0)
    expect(seen[1]).toEqual([
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'Hi there' },
      { role: 'user', content: 'two' },
    ])
  })

  test('a conversation beyond the context says so and goes on', async () => {
    const stdin = `${'x'.repeat(100)}\nhi\n`
    const { code, stdout, stderr } = await run(['chat'], {
      stdin,
      engine: { words, contextLength: 50 },
    })
    expect(code).toBe(0)
    expect(stderr).toMatch(/107 tokens.*holds 50.*\/clear/)
    expect(stdout).toBe('Hi there\n')
  })

  test('on a terminal Ctrl-C stops the answer, not the program', async () => {
    const started = start(['chat', '--verbose'], { engine: { rate: 50 } })
    await expect.poll(started.err).toContain('>>> ')
    started.type('tell me\r')
    await expect.poll(started.out).toContain('Once')
    started.type('\u0003')
    await expect.poll(started.err).toContain('(stopped)')
    started.type('\u0003')
    await expect.poll(started.err).toContain('/bye leaves')
    started.type('/bye\r')
    expect(await started.done).toBe(0)
    expect(started.engine.aborted).toBe(1)
  })

  test('piped, a signal ends everything with 130', async () => {
    const started = start(['chat'], { stdin: 'one\ntwo\n', engine: { rate: 50 } })
    await expect.poll(started.out).toContain('Once')
    started.interrupt()
    expect(await started.done).toBe(130)
    expect(started.engine.calls).toHaveLength(1)
  })
})

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
