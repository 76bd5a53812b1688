/**
 * What the pages tell people to type exists: scripts, commands with their flags, suites of the bench, tests, files. The
 * lines of docs/cli.md are run (cli-docs.test.ts).
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { run } from './cli-terminal.ts'

const ROOT = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...inFolder('docs').filter((path) => path.endsWith('.md') && path !== 'docs/cli.md'),
]
const FILES = ['bench', 'cli', 'engine', 'kernels', 'server', 'test', 'tokenizer'].flatMap(inFolder)
const SCRIPTS = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts

function inFolder(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
    join(folder, name),
  )
}

/** Lines of shell blocks, joined where they go on, without comments. */
const LINES = PAGES.flatMap((page) =>
  [...read(page).matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
    block
      .replaceAll('\\\n', ' ')
      .split('\n')
      .map((line) => line.replace(/(^|\s)#\s.*$/, '').trim())
      .filter((line) => line !== '')
      .map((line) => [page, line] as const),
  ),
)

const words = (text: string): string[] => text.match(/"[^"]*"|'[^']*'|[^\s|<>&;]+/g) ?? []

/** The command at the front, and its flags, against the command's own help. */
async function checkCommand(args: string[]): Promise<void> {
  const path: string[] = []
  let help = (await run(['--help'])).stdout
  for (const word of args) {
    if (
      !new RegExp(`^ {2}([\\w-]+\\|)?${word.replace(/\W/g, '')}\\b`, 'm').test(
        help.split('Commands:')[1] ?? '',
      )
    )
      break
    path.push(word)
    help = (await run([...path, '--help'])).stdout
  }
  if (args[0] !== undefined && !args[0].startsWith('-'))
    expect(path, args.join(' ')).not.toEqual([])
  for (const flag of args
    .filter((word) => word.startsWith('--'))
    .map((word) => word.split('=')[0] ?? '')) {
    expect(help, `${path.join(' ')} ${flag}`).toContain(flag)
  }
}

test('pages have commands', () => {
  expect(LINES.length).toBeGreaterThan(40)
})

test.each(LINES)('%s: %s', async (_, line) => {
  const [, cli] =
    /^(?:\w+=\S+ )*(?:npm run -s cli -- |npx illuminator |illuminator )(.*)/.exec(line) ?? []
  if (cli !== undefined) return checkCommand(words(cli))
  const [, start] = /^npm start(?: -- (.*))?$/.exec(line) ?? []
  if (start !== undefined) return checkCommand(['serve', ...words(start)])
  const [, script] = /^(?:\w+=\S+ )?npm run (?:-s )?([\w:]+)/.exec(line) ?? []
  if (script !== undefined) expect(Object.keys(SCRIPTS)).toContain(script)
  const [, suite] = /^npm run bench -- (\w+)/.exec(line) ?? []
  if (suite !== undefined) expect(FILES).toContain(`bench/commands/${suite}.ts`)
  const [, tests = ''] = /^(?:\w+=\S+ )?npm test -- (.*)$/.exec(line) ?? []
  for (const path of words(tests.replace(/--project \w+/, ''))) {
    expect(
      FILES.some((file) => file.endsWith('.test.ts') && file.includes(path)),
      path,
    ).toBe(true)
  }
  for (const path of line.match(
    /(?:^|\s)\.?\/?(?:test|examples|scripts|bench|deploy)\/[\w./-]+\.\w+/g,
  ) ?? []) {
    expect(existsSync(join(ROOT, path.trim())), path).toBe(true)
  }
})
