/** `chat` over a pipe, and the commands of a chat. */
import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import { run, type Setting, start } from '../../test/cli-terminal.ts'

const words = ['Hi', ' there']

/** Runs a piped chat; what the engine was sent each time, in `sent`. */
async function chat(stdin: string, args: string[] = [], setting: Setting = {}) {
  const ended = await run(['chat', ...args], { engine: { words }, stdin, ...setting })
  const sent = ended.engine.calls.map(({ prompt }) => prompt)
  return { ...ended, sent, last: ended.engine.calls.at(-1) }
}

const user = (content: string) => ({ role: 'user', content })
const assistant = (content: string) => ({ role: 'assistant', content })

describe('over a pipe', () => {
  test('each line is a question, the answers alone are on stdout', async () => {
    const { code, stdout, stderr, sent } = await chat('one\n\ntwo\n')
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Hi there\nHi there\n' })
    expect(sent).toEqual([[user('one')], [user('one'), assistant('Hi there'), user('two')]])
    expect(stderr).not.toContain('>>>')
  })

  test('several lines between """ are one question', async () => {
    const { sent } = await chat('"""\none\n/bye\n"""\n/bye\nnever\n')
    expect(sent).toEqual([[user('one\n/bye')]])
  })

  test('a path at the beginning of a question is no command', async () => {
    const { sent } = await chat('/etc/hosts is what?\n')
    expect(sent).toEqual([[user('/etc/hosts is what?')]])
  })

  test('--json prints a line an answer, errors as well', async () => {
    const stdin = `${'x'.repeat(100)}\nhi\n`
    const engine = { words, contextLength: 50 }
    const { code, stdout } = await chat(stdin, ['--json', '--seed', '7'], { engine })
    expect(code).toBe(1)
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    ).toMatchObject([
      { model: 'fake/tiny-1', text: '', error: { code: 'context_length' } },
      {
        model: 'fake/tiny-1',
        text: 'Hi there',
        finish_reason: 'stop',
        seed: 7,
        usage: { completion_tokens: 2, prompt_tokens_details: { cached_tokens: 3 } },
      },
    ])
  })

  test('a conversation beyond the context says so and goes on, and a script is told in the end', async () => {
    const stdin = `${'x'.repeat(100)}\nhi\n`
    const { code, stdout, stderr } = await chat(stdin, [], { engine: { words, contextLength: 50 } })
    expect(code).toBe(1)
    expect(stderr).toMatch(/107 tokens.*holds 50.*\/clear/)
    expect(stderr).toMatch(/1 of the questions got no whole answer/)
    expect(stdout).toBe('Hi there\n')
  })

  test('a signal ends everything with 130', async () => {
    const started = start(['chat'], { stdin: 'one\ntwo\n', engine: { rate: 50 } })
    await expect.poll(started.out).toContain('Once')
    started.interrupt()
    expect(await started.done).toBe(130)
    expect(started.engine.calls).toHaveLength(1)
    expect(started.engine.closed).toBe(true)
  })

  test('an engine that breaks ends it', async () => {
    const failAfter = { tokens: 1, error: new EngineError('gpu', 'device lost') }
    const { code, stderr, sent } = await chat('one\ntwo\n', [], { engine: { failAfter } })
    expect(code).toBe(1)
    expect(stderr).toContain('illuminator: device lost')
    expect(sent).toHaveLength(1)
  })
})

describe('commands', () => {
  test('/clear forgets the conversation, not the system message', async () => {
    const { sent } = await chat('one\n/clear\ntwo\n', ['--system-message', 'Be brief'])
    expect(sent[1]).toEqual([{ role: 'system', content: 'Be brief' }, user('two')])
  })

  test('/system sets, shows and removes what the model is told', async () => {
    const stdin = '/system """\nBe\nbrief\n"""\n/system\none\n/system ""\n/clear\ntwo\n'
    const { sent, stderr } = await chat(stdin)
    expect(sent[0]).toEqual([{ role: 'system', content: 'Be\nbrief' }, user('one')])
    expect(sent[1]).toEqual([user('two')])
    expect(stderr).toContain('Be\nbrief\n')
  })

  test('/set changes how answers are chosen, by the flags’ own rules', async () => {
    const stdin =
      '/set temperature 0.25\n/set max-tokens 1\n/set parameter seed 7\n/set stop x\n/set stop y\n/set top_k default\n/set ignore_eos on\none\n'
    const { last, code } = await chat(stdin, ['--top-k', '3', '--seed', '1'])
    expect(code).toBe(0)
    expect(last?.options).toMatchObject({
      temperature: 0.25,
      maxTokens: 1,
      seed: 7,
      stop: ['x', 'y'],
      topK: 50,
      ignoreEos: true,
    })
    const back = await chat('/set seed default\none\n', ['--seed', '1'])
    expect(back.last?.options).not.toHaveProperty('seed')
  })

  test.each([
    ['/set temperature 3', /temperature is "3": Expected a number from 0 to 2/],
    ['/set temprature 1', /no parameter "temprature"; did you mean temperature\?/],
    ['/set seed', /seed needs a value, or "default"/],
    ['/set ignore_eos perhaps', /ignore_eos is on or off/],
    ['/set stats perhaps', /stats is on or off/],
    ['/show parametrs', /did you mean parameters\?/],
    ['/sett x', /no command \/sett; did you mean \/set\?/],
    ['/xyzzy', /no command \/xyzzy; \/help lists them/],
    ['/load', /Load which file\?/],
    ['/save', /Save to which file\?/],
    ['/load /nowhere/chat.json', /\/nowhere\/chat\.json cannot be read: ENOENT/],
    ['/save /nowhere/chat.json', /\/nowhere\/chat\.json cannot be written: ENOENT/],
    ['/load ~/no/such.json', /^\/.*\/no\/such\.json cannot be read/m],
    ['/regen', /Nothing was asked yet/],
  ])('%s says what is wrong and goes on', async (line, message) => {
    const { code, stderr, sent } = await chat(`${line}\nhi\n`)
    expect(code).toBe(0)
    expect(stderr).toMatch(message)
    expect(sent).toEqual([[user('hi')]])
  })

  test('/set stats, verbose and quiet switch the line of counts', async () => {
    const { stderr } = await chat(
      'a\n/set stats\nb\n/set quiet\nc\n/set verbose\nd\n/set stats off\ne\n',
    )
    expect(stderr.match(/prompt tokens \(3 cached\) · 2 tokens in .* · first after/g)).toHaveLength(
      2,
    )
    const flag = await chat('a\n', ['--stats'])
    expect(flag.stderr).toMatch(/ · stop\n$/)
  })

  test('/show tells what holds', async () => {
    const { stderr } = await chat('hi\n/show\n/show messages\n', ['--seed', '7'])
    expect(stderr).toMatch(
      /^model +fake\/tiny-1 on Fake adapter\ncontext +2048 tokens\nsystem +none$/m,
    )
    expect(stderr).toMatch(/^seed +7$/m)
    expect(stderr).toMatch(/^max_tokens +what fits the context$/m)
    expect(stderr).toMatch(/^min_p +not set$/m)
    expect(stderr).toContain('user: hi\nassistant: Hi there\n')
  })

  test('/regen answers the last question again, in place of its answer', async () => {
    const { sent, stdout } = await chat('one\n/regen\ntwo\n')
    expect(stdout).toBe('Hi there\n'.repeat(3))
    expect(sent[1]).toEqual([user('one')])
    expect(sent[2]).toEqual([user('one'), assistant('Hi there'), user('two')])
  })

  test('/save and /load take a conversation from one chat to the next', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'illuminator-')), 'chat.json')
    await chat(`one\n/save ${file}\n`, ['--system-message', 'Be brief'])
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const system = { role: 'system', content: 'Be brief' }
    const messages = [system, user('one'), assistant('Hi there')]
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ model: 'fake/tiny-1', messages })
    const { sent, stderr } = await chat(`/load ${file}\ntwo\n/save ${file}\n`)
    expect(sent).toEqual([[...messages, user('two')]])
    expect(stderr).toContain(`3 messages from ${file}.`)
    expect(stderr).toContain(`5 messages in ${file}.`)
  })

  test('/save writes over no file that is something else, /load reads none', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'illuminator-')), 'package.json')
    await writeFile(file, '{"name": "mine"}')
    const { stderr } = await chat(`one\n/save ${file}\n/load ${file}\n`)
    expect(stderr).toContain('is there already and is no conversation')
    expect(stderr).toContain('is no conversation: expected {"messages"')
    expect(await readFile(file, 'utf8')).toBe('{"name": "mine"}')
  })

  test('/help and /? list them all', async () => {
    const { stderr } = await chat('/help\n/?\n')
    const listed = stderr.match(/^\/\w+/gm)
    const all = ['/set', '/show', '/system', '/load', '/save', '/clear', '/regen', '/bye', '/help']
    expect(listed).toEqual([...all, ...all])
    expect(stderr.match(/^""" /gm)).toHaveLength(2)
  })
})
