/**
 * Each command of the contract's CLI section, as written there, through a real shell's quoting and our whole command
 * line, over a fake engine. The copy below is held against `../shared/spec/api-reference.md` where that is there.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run, type Setting } from './cli-terminal.ts'
import { serveFake } from './served-fake.ts'
import { describeShared } from './shared-folder.ts'

type Ended = Awaited<ReturnType<typeof run>>

interface Row {
  /** As written, line breaks and all. */
  readonly line: string
  readonly setting?: Setting
  readonly check: (ended: Ended) => void
}

const ANSWER = 'Once upon a time there was a lamp 💡.\n'
const works = ({ code }: Ended) => expect(code).toBe(0)

/** In their order: a setting holds for what follows. */
const ROWS: readonly Row[] = [
  {
    line: 'illuminator generate "Explain quantum physics:" --max-tokens 200',
    check({ code, stdout, engine }) {
      expect({ code, stdout }).toEqual({ code: 0, stdout: ANSWER })
      expect(engine.calls).toMatchObject([
        { prompt: 'Explain quantum physics:', options: { maxTokens: 200 } },
      ])
    },
  },
  {
    line: `illuminator generate "Write code:" \\
    --max-tokens 300 \\
    --temperature 0.3 \\
    --top-p 0.9 \\
    --output output.txt`,
    check({ code, stdout, engine }) {
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
      expect(readFileSync('output.txt', 'utf8')).toBe(ANSWER)
      expect(engine.calls).toMatchObject([
        { prompt: 'Write code:', options: { maxTokens: 300, temperature: 0.3, topP: 0.9 } },
      ])
    },
  },
  {
    line: 'illuminator interactive --model illuminator-4.9b',
    setting: { stdin: 'Hello\n/bye\n' },
    check({ code, stdout, loads }) {
      expect({ code, stdout }).toEqual({ code: 0, stdout: ANSWER })
      expect(loads).toMatchObject([{ model: 'illuminator-4.9b' }])
    },
  },
  {
    line: 'illuminator chat',
    setting: { stdin: 'Hello\n' },
    check({ code, stdout }) {
      expect({ code, stdout }).toEqual({ code: 0, stdout: ANSWER })
    },
  },
  {
    line: `illuminator chat \\
    --temperature 0.7 \\
    --max-tokens 150 \\
    --system-message "You are a helpful coding assistant"`,
    setting: { stdin: 'Hello\n' },
    check({ code, engine }) {
      expect(code).toBe(0)
      const [call] = engine.calls
      expect(call?.options).toMatchObject({ temperature: 0.7, maxTokens: 150 })
      expect(call?.prompt).toEqual([
        { role: 'system', content: 'You are a helpful coding assistant' },
        { role: 'user', content: 'Hello' },
      ])
    },
  },
  {
    line: 'illuminator batch prompts.txt --output results.jsonl',
    check({ code, stdout, engine }) {
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
      expect(engine.calls.map(({ prompt }) => prompt)).toEqual(['one', 'two'])
      const lines = readFileSync('results.jsonl', 'utf8').trimEnd().split('\n')
      expect(lines.map((line) => JSON.parse(line))).toMatchObject([
        { index: 0, status: 'completed', generated_text: ANSWER.trimEnd() },
        { index: 1, status: 'completed', generated_text: ANSWER.trimEnd() },
      ])
    },
  },
  {
    // All are answered by the line before: nothing is asked twice.
    line: `illuminator batch prompts.txt \\
    --workers 4 \\
    --batch-size 10 \\
    --output results.jsonl`,
    check({ code, stderr, engine }) {
      expect({ code, calls: engine.calls }).toEqual({ code: 0, calls: [] })
      expect(stderr).toContain('2 of 2 prompts are answered already')
    },
  },
  { line: 'illuminator models list', check: works },
  { line: 'illuminator models download illuminator-4.9b', check: works },
  {
    line: 'illuminator models info illuminator-4.9b',
    setting: { hub: { resolveModel: async (id) => ({ id, folder: '.', source: 'a test' }) } },
    check({ code, stdout }) {
      expect(code).toBe(0)
      expect(stdout).toMatch(/architecture +LlamaForCausalLM/)
    },
  },
  {
    // A pickle is never opened (rulings): the answer is what to do instead.
    line: `illuminator serve \\
    --model checkpoints/best_model.pt \\
    --host 0.0.0.0 \\
    --port 8000`,
    check({ code, stderr, loads }) {
      expect(code).toBe(2)
      expect(stderr).toMatch(/best_model\.pt is a PyTorch pickle.*To convert/)
      expect(loads).toEqual([])
    },
  },
  { line: 'illuminator config set api_key YOUR_API_KEY', check: works },
  { line: 'illuminator config set model illuminator-4.9b', check: works },
  {
    line: 'illuminator config list',
    check({ code, stdout }) {
      expect(code).toBe(0)
      expect(stdout).toMatch(/model +illuminator-4\.9b/)
      expect(stdout).toMatch(/api_key +…/)
      expect(stdout).not.toContain('YOUR_API_KEY')
    },
  },
  { line: 'illuminator config reset', check: works },
]

/** Not ours to run: how the package of the reference is installed. */
const FOREIGN = /^pip install /

const home = mkdtempSync(join(tmpdir(), 'illuminator-contract-'))

beforeAll(() => {
  process.chdir(home)
  writeFileSync('prompts.txt', 'one\ntwo\n')
  writeFileSync('config.json', JSON.stringify({ architectures: ['LlamaForCausalLM'] }))
})

/** The words of a command line, as bash reads them. */
function wordsOf(line: string): string[] {
  const script = `illuminator() { printf '%s\\0' "$@"; }\n${line}`
  return execFileSync('bash', ['--norc', '-c', script], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1)
}

describe('every command of the contract', () => {
  test.each(ROWS)('$line', async ({ line, setting, check }) => {
    const env = { XDG_CONFIG_HOME: home, ...setting?.env }
    check(await run(wordsOf(line), { ...setting, env }))
  })
})

describe('with a server, what asks a model does the same', () => {
  let server: Awaited<ReturnType<typeof serveFake>>
  beforeAll(async () => {
    server = await serveFake({ id: 'illuminator-4.9b' })
  })
  afterAll(() => server.close())

  const asking = ROWS.filter(({ line }) => / (generate|interactive|chat|batch) /.test(`${line} `))
  test.each(asking)('$line', async ({ line, setting }) => {
    const before = server.engine.calls.length
    const env = { ILLUMINATOR_URL: server.url }
    for (const file of ['output.txt', 'results.jsonl']) rmSync(file, { force: true })
    const ended = await run(wordsOf(line), { ...setting, env })
    expect(ended).toMatchObject({ code: 0, loads: [] })
    expect(server.engine.calls.length).toBeGreaterThan(before)
    const output = ['output.txt', 'results.jsonl'].find((file) => existsSync(file))
    expect(output ? readFileSync(output, 'utf8') : ended.stdout).toContain(ANSWER.trim())
  })
})

describeShared('the contract', (folder) => {
  test('has these commands and no others', () => {
    const contract = readFileSync(join(folder, 'spec', 'api-reference.md'), 'utf8')
    const [, section = ''] = contract.split(/^## CLI Tools$/m)
    const blocks = (section.split(/^## /m)[0] ?? '').matchAll(/^```bash\n([\s\S]*?)^```$/gm)
    const commands = [...blocks]
      .flatMap(([, block = '']) => block.replaceAll('\\\n', '\0').split('\n'))
      .map((line) => line.replaceAll('\0', '\\\n'))
      .filter((line) => line !== '' && !line.startsWith('#') && !FOREIGN.test(line))
    const ours = ROWS.map(({ line }) => line)
    expect(commands.sort()).toEqual(ours.sort())
  })
})
