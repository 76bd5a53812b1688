/** Progress as people see it: a bar for each file on a terminal, a few lines in a log. */
import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import type { Progress } from '../engine/api.ts'
import type { Io } from './io.ts'
import { createProgress } from './progress.ts'

function terminal(isTTY: boolean) {
  const stderr = Object.assign(new PassThrough(), { isTTY, columns: 120 })
  let text = ''
  stderr.on('data', (chunk) => (text += String(chunk)))
  const io: Io = {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr,
    env: {},
    onInterrupt: () => () => {},
  }
  return { io, text: () => stripVTControlCharacters(text) }
}

const file = (name: string, done: number, note?: string): Progress => ({
  phase: 'download',
  file: name,
  done,
  total: 1e7,
  source: 'hub',
  ...(note ? { note } : {}),
})

test('on a terminal each file has a bar, which becomes a line when the file is there', async () => {
  const { io, text } = terminal(true)
  const progress = createProgress(io)
  progress.report(file('a', 0))
  progress.report(file('b', 5e6))
  await expect.poll(text).toMatch(/Downloading a \[-{24}\] 0% .*\n.*Downloading b .* 50% \| 5.0 MB/)
  progress.report(file('b', 1e7))
  await expect.poll(text).toContain('Downloading b: 10.0 MB\n')
  progress.report(file('a', 2e6, 'the server asks to wait 40 s'))
  await expect.poll(text).toContain('(the server asks to wait 40 s)')
  progress.report(file('a', 1e7))
  progress.report({ phase: 'weights', done: 1, total: 4 })
  await expect.poll(text).toContain('Loading weights')
  progress.stop()
  expect(text()).toMatch(/Downloading a \[={24}\] 100% \| 10.0 MB of 10.0 MB/)
  expect(text().endsWith('\n')).toBe(true)
})

test('elsewhere each file has a few lines, however they are mixed', () => {
  const { io, text } = terminal(false)
  const progress = createProgress(io)
  for (let done = 0; done <= 1e7; done += 1e6) {
    for (const name of ['a', 'b']) progress.report(file(name, done))
  }
  progress.report(file('c', 0, 'the server asks to wait 40 s'))
  progress.stop()
  const lines = text().trim().split('\n')
  expect(lines.filter((line) => line.startsWith('Downloading a'))).toEqual([
    'Downloading a: 0% of 10.0 MB',
    'Downloading a: 30% of 10.0 MB',
    'Downloading a: 50% of 10.0 MB',
    'Downloading a: 80% of 10.0 MB',
    'Downloading a: 100% of 10.0 MB',
  ])
  expect(lines).toHaveLength(11)
  expect(lines.at(-1)).toBe('Downloading c: 0% of 10.0 MB (the server asks to wait 40 s)')
})
