/** The scripts of `completion`, sourced in the shells themselves: all commands, options and values, at their places. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { beforeAll, expect, test } from 'vitest'
import { run } from '../../test/cli-terminal.ts'
import { commandPaths, optionsOf, subcommandsOf } from '../../test/command-help.ts'
import { describeProgram } from '../../test/shells.ts'
import { bashScript } from './bash.ts'
import { type TreeCommand, treeOf } from './command-tree.ts'
import { fishScript } from './fish.ts'
import { zshScript } from './zsh.ts'

const folder = mkdtempSync(join(tmpdir(), 'illuminator-completion-'))
const [FILES, VALUE] = ['<files>', '<value>']

const words = (typed: readonly string[]) =>
  ['illuminator', ...typed].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')

const lines = (text: string) => text.split('\n').filter((line) => line !== '')

interface Shell {
  readonly print: (tree: TreeCommand) => string
  /** Sources the script and prints what it offers for the last of the words. */
  code(script: string, typed: readonly string[]): string
  read(offered: string[], typed: readonly string[]): string[]
}

const SHELLS: Record<string, Shell> = {
  bash: {
    print: bashScript,
    code: (script, typed) => `source '${script}'
      COMP_WORDS=(${words(typed)}); COMP_CWORD=${typed.length}
      _illuminator; printf '%s\n' "\${COMPREPLY[@]}"`,
    // Where it offers nothing there are files (-o default), whatever the value.
    read: (offered) => (offered.length === 0 ? [FILES, VALUE] : offered),
  },
  zsh: {
    print: zshScript,
    // Its own helpers only draw; here they print what they are given.
    code: (script, typed) => `
      _describe() { local list=\${@[-1]}; print -rl -- \${(P)list} }
      compadd() { shift; print -rl -- "$@" }
      _files() { print '${FILES}' }; _message() { print '${VALUE}' }
      source '${script}'
      words=(${words(typed)}); CURRENT=\${#words}; _illuminator`,
    read: (offered, typed) =>
      offered
        .map((line) => line.replace(/(?<=.):.*/, ''))
        .filter((word) => word.startsWith(typed.at(-1) ?? '') || word.startsWith('<')),
  },
  fish: {
    print: fishScript,
    code: (script, typed) => `source '${script}'; complete -C "illuminator ${typed.join(' ')}"`,
    read: (offered) =>
      offered.length === 0
        ? [VALUE]
        : offered.map((line) => line.replace(/\t.*/, '').replace(/^here\.txt$/, FILES)),
  },
}

let commands: (readonly string[])[]

beforeAll(async () => {
  writeFileSync(join(folder, 'here.txt'), '')
  commands = await commandPaths()
  expect(commands).toContainEqual(['models', 'list'])
})

for (const [name, shell] of Object.entries(SHELLS)) {
  const ask = (script: string, typed: readonly string[]): string[] => {
    const code = ['-c', shell.code(script, typed)]
    return lines(execFileSync(name, code, { cwd: folder, encoding: 'utf8' }))
  }

  describeProgram(name, `completion in ${name}`, () => {
    const script = join(folder, `script.${name}`)
    const offered = (typed: readonly string[]) => shell.read(ask(script, typed), typed)

    beforeAll(async () => {
      const { code, stdout } = await run(['completion', name])
      expect(code).toBe(0)
      writeFileSync(script, stdout)
      execFileSync(name, ['-n', script])
    })

    test('takes no help text for code', () => {
      const help = 'it\'s `touch ran` $(touch ran) \\ "ran"; touch ran'
      const program = new Command('illuminator')
      program.command('a').description(help)
      const hostile = join(folder, `hostile.${name}`)
      writeFileSync(hostile, shell.print(treeOf(program, {})))
      const [first = ''] = ask(hostile, ['a'])
      // bash shows no help.
      expect(first).toMatch(/^a\b/)
      expect(name === 'bash' || first.endsWith(help)).toBe(true)
      expect(readdirSync(folder)).not.toContain('ran')
    })

    test('offers every command and every option of each', async () => {
      for (const path of commands) {
        const options = await optionsOf(path)
        expect(offered([...path, '--']), path.join(' ')).toEqual(expect.arrayContaining(options))
        const below = await subcommandsOf(path)
        if (below.length === 0) continue
        expect(offered([...path, ''])).toEqual(expect.arrayContaining(below))
      }
    })

    test.each([
      [['ch'], ['chat']],
      [['inter'], ['interactive']],
      [['pul'], ['pull']],
      [['interactive', '--system'], ['--system-message']],
      [['ls', '--j'], ['--json']],
      [['models', 'pu'], ['pull']],
      [
        ['generate', '--kv', ''],
        ['f16', 'f32', 'int8'],
      ],
      [
        ['chat', '--temperature', '1', '--kv', 'f'],
        ['f16', 'f32'],
      ],
      [['keys', 'create', '--tier', 'p'], ['pro']],
      [
        ['completion', ''],
        ['bash', 'fish', 'zsh'],
      ],
      [['config', 'set', 'base'], ['base_url']],
      [['generate', '--max-tokens', ''], [VALUE]],
      [['generate', '--output', 'here'], [FILES]],
      [['generate', '-o', 'here'], [FILES]],
      [['rm', 'here'], [FILES]],
    ])('%j offers %j', (typed, wanted) => {
      const found = offered(typed)
      const isOpen = wanted.some((word) => word.startsWith('<'))
      if (isOpen) expect(found).toEqual(expect.arrayContaining(wanted))
      else expect(found.sort()).toEqual(wanted)
    })
  })
}
