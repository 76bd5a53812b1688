/** README and docs against the code: links lead somewhere, the ten lines are the example, variables and commands are listed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from './cli-terminal.ts'

const ROOT = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const README = read('README.md')

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...['docs', 'docs/decisions'].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  ),
]

test.each(PAGES)('%s: every link leads somewhere', (page) => {
  const targets = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  const broken = targets
    .filter((target) => !/^(https?:|#)/.test(target))
    .filter((target) => !existsSync(resolve(ROOT, dirname(page), target.replace(/#.*/, ''))))
  expect(broken).toEqual([])
})

describe('README', () => {
  test('shows examples/chat.mjs as it stands', () => {
    expect(README).toContain(`\`\`\`js\n${read('examples/chat.mjs')}\`\`\``)
  })

  test('lists every environment variable that the sources read', () => {
    const variables = sources().flatMap((path) => [
      ...read(path).matchAll(/\benv\??\.((?:ILLUMINATOR|HF)_[A-Z_]+|DEBUG|NO_COLOR)\b/g),
    ])
    const names = [...new Set(variables.map(([, name = '']) => name))]
    expect(names).toContain('ILLUMINATOR_ADAPTER')
    expect(names.filter((name) => !README.includes(`| \`${name}\` |`))).toEqual([])
  })

  test('lists every command', async () => {
    const { stdout } = await run(['--help'])
    const commands = [...(stdout.split('Commands:')[1] ?? '').matchAll(/^ {2}(\w+)[ |]/gm)]
    const names = commands.map(([, name = '']) => name).filter((name) => name !== 'help')
    expect(names).toContain('chat')
    expect(names.filter((name) => !new RegExp(`\\| \`${name}\\b`).test(README))).toEqual([])
  })
})

/** Production TypeScript, as paths below the root. */
function sources(): string[] {
  return ['cli', 'engine', 'kernels', 'server', 'tokenizer'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
      .map((path) => join(folder, path)),
  )
}
