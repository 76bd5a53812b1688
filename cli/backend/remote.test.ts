/** `generate` and `chat` with `--url`: the same answers, and what goes wrong said in sentences that tell what to do. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import { run, start } from '../../test/cli-terminal.ts'
import { serveFake } from '../../test/served-fake.ts'

const servers: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function serving(...args: Parameters<typeof serveFake>) {
  const server = await serveFake(...args)
  servers.push(server)
  return server
}

const ANSWER = 'Once upon a time there was a lamp 💡.\n'
const freshFolder = () => mkdtemp(join(tmpdir(), 'illuminator-remote-'))

describe('a server answers', () => {
  test('generate: the same text, and every option reaches it', async () => {
    const { engine, url } = await serving()
    const sampling =
      '--max-tokens 90 --temperature 0 --top-p 0.5 --top-k 7 --min-p 0.1 --seed 7 --stop fish ' +
      '--repetition-penalty 1.1 --presence-penalty -1 --frequency-penalty 1'
    const args = ['generate', 'x', '--url', url, '--stats', ...sampling.split(' ')]
    const { code, stdout, stderr, loads } = await run(args)
    expect({ code, stdout, loads }).toEqual({ code: 0, stdout: ANSWER, loads: [] })
    expect(stderr).toMatch(/^1 prompt tokens \(3 cached\) · 10 tokens in .* · stop\n$/)
    expect(engine.calls).toMatchObject([
      {
        prompt: 'x',
        options: {
          maxTokens: 90,
          temperature: 0,
          topP: 0.5,
          topK: 7,
          minP: 0.1,
          seed: 7,
          stop: ['fish'],
          repetitionPenalty: 1.1,
          presencePenalty: -1,
          frequencyPenalty: 1,
        },
      },
    ])
  })

  test('its defaults are those of a model here', async () => {
    const { engine, url } = await serving()
    const here = await run(['generate', 'x'])
    await run(['generate', 'x', '--url', url])
    const { signal: _, ...options } = here.engine.calls[0]?.options ?? {}
    expect(engine.calls[0]?.options).toMatchObject(options)
  })

  test('--json names the model that answered', async () => {
    const { url } = await serving()
    const { stdout } = await run([
      'generate',
      'x',
      '--url',
      `${url}/v1`,
      '--json',
      '--max-tokens',
      '2',
    ])
    expect(JSON.parse(stdout)).toMatchObject({
      model: 'fake/tiny-1',
      text: 'Once upon',
      finish_reason: 'length',
      usage: {
        prompt_tokens: 1,
        completion_tokens: 2,
        prompt_tokens_details: { cached_tokens: 3 },
      },
    })
  })

  test('chat: a conversation, over a pipe and on a terminal', async () => {
    const { engine, url } = await serving({ words: ['Hi'] })
    const piped = await run(['chat', '--url', url], { stdin: 'one\ntwo\n' })
    expect(piped).toMatchObject({ code: 0, stdout: 'Hi\nHi\n' })
    expect(engine.calls[1]?.prompt).toEqual([
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'Hi' },
      { role: 'user', content: 'two' },
    ])
    const typed = start(['chat', '--url', url])
    await expect.poll(typed.err).toContain(`fake/tiny-1 on ${url}. /help`)
    typed.type('/show model\r/bye\r')
    expect(await typed.done).toBe(0)
    expect(typed.err()).toMatch(/context +2048 tokens/)
  })

  test('flag before variable before configuration, and --local before all', async () => {
    const [flag, variable, file] = await Promise.all([serving(), serving(), serving()])
    const home = await freshFolder()
    const setting = { env: { XDG_CONFIG_HOME: home }, stdin: 'x' }
    const both = { ...setting, env: { ...setting.env, ILLUMINATOR_URL: variable.url } }
    await run(['config', 'set', 'url', file.url], setting)
    await run(['generate'], setting)
    await run(['generate'], both)
    await run(['chat'], both)
    await run(['generate', '--url', flag.url], both)
    const local = await run(['generate', '--local', '--kv', 'int8'], both)
    expect([flag, variable, file].map(({ engine }) => engine.calls.length)).toEqual([1, 2, 1])
    expect(local.engine.calls).toHaveLength(1)
  })

  test('Ctrl-C ends the work there', async () => {
    const { engine, url } = await serving({ rate: 50 })
    const started = start(['generate', 'x', '--url', url])
    await expect.poll(started.out).toContain('Once')
    started.interrupt()
    expect(await started.done).toBe(130)
    await expect.poll(() => engine.aborted).toBe(1)
    const typed = start(['chat', '--url', url])
    await expect.poll(typed.err).toContain('>>> ')
    typed.type('x\r')
    await expect.poll(typed.out).toContain('Once')
    typed.type('\u0003')
    await expect.poll(typed.err).toContain('(stopped)')
    await expect.poll(() => engine.aborted).toBe(2)
    typed.type('/bye\r')
    expect(await typed.done).toBe(0)
  })
})

describe('a server refuses', () => {
  test('who has no key, or a wrong one; the configured one opens', async () => {
    const data = await freshFolder()
    const env = { ILLUMINATOR_DATA: data, XDG_CONFIG_HOME: await freshFolder() }
    const key = (await run(['keys', 'create', '--name', 'me'], { env })).stdout.trim()
    const { url } = await serving({}, data)
    const args = ['generate', 'x', '--url', url]
    const none = await run(args, { env })
    expect(none).toMatchObject({ code: 1, stdout: '' })
    expect(none.stderr).toBe(
      `illuminator: ${url} wants an API key. Give it by "illuminator config set api_key <key>" or ILLUMINATOR_API_KEY.\n`,
    )
    const wrong = await run(args, { env: { ...env, ILLUMINATOR_API_KEY: 'sk-wrong' } })
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toContain(`${url} refuses the API key: `)
    expect(wrong.stderr).not.toContain('sk-wrong')
    await run(['config', 'set', 'api_key', key], { env })
    expect(await run(args, { env })).toMatchObject({ code: 0, stdout: ANSWER })
    const chat = await run(['chat', '--url', url], { env, stdin: 'x\n' })
    expect(chat).toMatchObject({ code: 0, stdout: ANSWER })
  })

  test('a model that it does not have', async () => {
    const { url } = await serving()
    const { code, stderr } = await run(['generate', 'x', '--url', url, '--model', 'nobody/has-it'])
    expect(code).toBe(1)
    expect(stderr).toContain(`${url} does not serve "nobody/has-it": `)
    expect(stderr).toContain(`"illuminator ps --all --url ${url}" lists what it has.`)
  })

  test('a wrong parameter with 2, a prompt that is too long with 1, as a model here does', async () => {
    const { url } = await serving({ contextLength: 50 })
    const long = await run(['generate', 'x'.repeat(100), '--url', url])
    expect(long.code).toBe(1)
    expect(long.stderr).toMatch(/says: The prompt has 100 tokens, but the context holds 50\./)
    const many = Array.from({ length: 17 }, (_, at) => ['--stop', `${at}`]).flat()
    const wrong = await run(['generate', 'x', '--url', url, ...many])
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toMatch(/says: .*'stop'/)
  })

  test('in the middle of an answer', async () => {
    const error = new EngineError('gpu', 'device lost')
    const { url } = await serving({ failAfter: { tokens: 2, error } })
    const { code, stdout, stderr } = await run(['generate', 'x', '--url', url])
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'Once upon' })
    expect(stderr).toBe(
      `illuminator: ${url} says: The GPU failed while it processed this request.\n`,
    )
  })

  test.each([
    ['--kv', 'int8'],
    ['--context', '64'],
    ['--adapter', 'gpu'],
  ])('%s is about a model here', async (flag, value) => {
    const { code, stderr } = await run(['generate', 'x', '--url', 'http://x', flag, value])
    expect(code).toBe(2)
    expect(stderr).toContain(`${flag} is about a model in this process, but http://x is asked.`)
  })
})
