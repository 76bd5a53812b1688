/** `pull`, `ls`, `show` and `rm` are those of `models`, in use and in help. */
import { expect, test } from 'vitest'
import { run } from '../test/cli-terminal.ts'
import { expanded, SHORTHANDS } from './shorthands.ts'

test.each(Object.keys(SHORTHANDS))('%s', async (word) => {
  const full = await run(['models', word, '--help'])
  expect(full).toMatchObject({ code: 0, stderr: '' })
  expect(full.stdout).toMatch(new RegExp(`^Usage: illuminator models \\w+\\|${word} `))
  for (const args of [
    [word, '--help'],
    ['help', word],
  ]) {
    expect(await run(args)).toMatchObject({ code: 0, stdout: full.stdout })
  }
})

test('they do it', async () => {
  const removed = await run(['rm', 'a/b'])
  expect(removed).toMatchObject({ code: 0, stderr: 'Removed /models/a/b (2.0 MB).\n' })
})

test('only the first word is one', () => {
  expect(expanded(['generate', 'ls'])).toEqual(['generate', 'ls'])
  expect(expanded(['ls', 'ls'])).toEqual(['models', 'ls', 'ls'])
  expect(expanded(['help', 'chat'])).toEqual(['help', 'chat'])
  expect(expanded([])).toEqual([])
  // What every object has is no shorthand.
  expect(expanded(['constructor'])).toEqual(['constructor'])
})
