/** `run MODEL [question]`, as Ollama has it, and `ps`. */
import { afterEach, describe, expect, test } from 'vitest'
import { run, start } from '../../test/cli-terminal.ts'
import { serveFake } from '../../test/served-fake.ts'

const engine = { words: ['Hi', ' there'] }
const user = (content: string) => ({ role: 'user', content })

describe('run', () => {
  test('one question of several words, answered as a chat', async () => {
    const args = ['run', 'm', 'why', 'is', 'it?', '--system-message', 'Be brief', '--verbose']
    const { code, stdout, stderr, engine: used, loads } = await run(args, { engine })
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Hi there\n' })
    expect(stderr).toMatch(/prompt tokens \(3 cached\) · 2 tokens/)
    expect(loads).toMatchObject([{ model: 'm' }])
    expect(used.calls[0]?.prompt).toEqual([
      { role: 'system', content: 'Be brief' },
      user('why is it?'),
    ])
    expect(used.closed).toBe(true)
  })

  test.each([
    [['run', 'm'], 'all\nof it'],
    [['run', 'm', '-'], 'all\nof it'],
    [['run', 'm', 'sum up:', '-'], 'sum up: all\nof it'],
    [['run', 'm', 'not stdin'], 'not stdin'],
  ])('%j with a pipe asks %j', async (args, question) => {
    const { code, engine: used } = await run(args, { engine, stdin: 'all\nof it\n' })
    expect(code).toBe(0)
    expect(used.calls.map(({ prompt }) => prompt)).toEqual([[user(question)]])
  })

  test('on a terminal without a question it is a chat', async () => {
    const started = start(['run', 'm'], { engine })
    await expect.poll(started.err).toContain('>>> ')
    started.type('hi\r/bye\r')
    expect(await started.done).toBe(0)
    expect(started.out()).toBe('Hi there\n')
  })

  test('--json prints one object', async () => {
    const { stdout } = await run(['run', 'm', 'hi', '--json', '--max-tokens', '1'], { engine })
    expect(JSON.parse(stdout)).toMatchObject({ text: 'Hi', finish_reason: 'length' })
  })

  test('its model is the one that it names, whatever is configured', async () => {
    const { loads } = await run(['run', 'm', 'hi'], { engine, env: { ILLUMINATOR_MODEL: 'other' } })
    expect(loads).toMatchObject([{ model: 'm' }])
    expect((await run(['run'])).code).toBe(2)
    expect((await run(['run', 'm', ' '])).stderr).toContain('The question is empty')
  })

  test('Ctrl-C ends with 130', async () => {
    const started = start(['run', 'm', 'hi'], { engine: { rate: 50 } })
    await expect.poll(started.out).toContain('Once')
    started.interrupt()
    expect(await started.done).toBe(130)
  })
})

describe('ps', () => {
  let close = async () => {}
  afterEach(() => close())

  test('lists what a server has loaded', async () => {
    const server = await serveFake()
    close = server.close
    const { code, stdout } = await run(['ps', '--url', server.url])
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'fake/tiny-1  loaded, kept  131.2MB  context 2048\n',
    })
    const json = await run(['ps', '--all', '--json'], { env: { ILLUMINATOR_URL: server.url } })
    expect(JSON.parse(json.stdout)).toMatchObject([
      { id: 'fake/tiny-1', state: 'loaded', memory_usage: '131.2MB', pinned: true },
    ])
  })

  test('a server that is not there', async () => {
    const server = await serveFake()
    await server.close()
    const { code, stderr } = await run(['ps', '--url', server.url])
    expect(code).toBe(1)
    expect(stderr).toContain(`No server listens at ${server.url}. "illuminator serve" starts one`)
  })
})
