/** `chat` on a terminal: what Ctrl-C does where, pasting, typing ahead, the tab key, history. */
import { mkdtemp, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { start } from '../../test/cli-terminal.ts'

const words = ['Hi', ' there']
const CONTROL_C = '\u0003'
const CONTROL_D = '\u0004'
const user = (content: string) => ({ role: 'user', content })

test('Ctrl-C stops the answer, clears the line, and twice on an empty one leaves with 130', async () => {
  const started = start(['chat'], { engine: { rate: 50 } })
  await expect.poll(started.err).toContain('>>> ')
  started.type('tell me\r')
  await expect.poll(started.out).toContain('Once')
  started.type(CONTROL_C)
  await expect.poll(started.err).toContain('(stopped)')
  expect(started.engine.aborted).toBe(1)
  started.type(`half a question${CONTROL_C}`)
  started.type(CONTROL_C)
  await expect.poll(started.err).toContain('Ctrl-D or /bye leaves')
  started.type(CONTROL_C)
  expect(await started.done).toBe(130)
  expect(started.engine.calls).toHaveLength(1)
  expect(started.engine.closed).toBe(true)
})

test('anything typed between takes the first Ctrl-C back', async () => {
  const started = start(['chat'], { engine: { words } })
  await expect.poll(started.err).toContain('>>> ')
  started.type(CONTROL_C)
  started.type('hi\r')
  await expect.poll(started.out).toContain('Hi there')
  started.type(CONTROL_C)
  await expect.poll(() => started.err().match(/leaves/g)?.length).toBe(2)
  started.type(CONTROL_D)
  expect(await started.done).toBe(0)
})

test('Ctrl-C drops a message of several lines that was begun', async () => {
  const started = start(['chat'], { engine: { words } })
  await expect.poll(started.err).toContain('>>> ')
  started.type('"""\r')
  await expect.poll(started.err).toContain('... ')
  started.type(CONTROL_C)
  started.type('hi\r')
  await expect.poll(started.out).toContain('Hi there')
  started.type('/bye\r')
  expect(await started.done).toBe(0)
  expect(started.engine.calls[0]?.prompt).toEqual([user('hi')])
})

test('what a terminal marks as pasted is one message', async () => {
  const started = start(['chat'], { engine: { words } })
  await expect.poll(started.err).toContain('\u001b[?2004h')
  started.type('\u001b[200~one\r/bye\rthree\u001b[201~')
  started.type('\r')
  await expect.poll(started.out).toContain('Hi there')
  started.type('/bye\r')
  expect(await started.done).toBe(0)
  expect(started.engine.calls.map(({ prompt }) => prompt)).toEqual([[user('one\n/bye\nthree')]])
  expect(started.err().endsWith('\u001b[?2004l')).toBe(true)
})

test('what is typed during an answer is asked afterwards, and drawn then', async () => {
  const started = start(['chat'], { engine: { rate: 50 } })
  await expect.poll(started.err).toContain('>>> ')
  started.type('first\r')
  await expect.poll(started.out).toContain('Once')
  started.type('second\r')
  await expect.poll(() => started.engine.calls.length).toBe(2)
  expect(started.err()).toContain('>>> second\n')
  started.type(CONTROL_C)
  started.type('/bye\r')
  expect(await started.done).toBe(0)
})

test('tab completes commands and parameters', async () => {
  const started = start(['chat'], { engine: { words } })
  await expect.poll(started.err).toContain('>>> ')
  started.type('/reg')
  started.type('\t')
  started.type('\r')
  await expect.poll(started.err).toContain('Nothing was asked yet')
  started.type('/set tempe')
  started.type('\t')
  started.type('0.5\r')
  await expect.poll(started.err).toContain('temperature is 0.5.')
  started.type('/bye\r')
  expect(await started.done).toBe(0)
})

test('history is kept in the data folder', async () => {
  const data = await mkdtemp(join(tmpdir(), 'illuminator-'))
  const setting = { engine: { words }, env: { ILLUMINATOR_DATA: data } }
  const first = start(['chat'], setting)
  await expect.poll(first.err).toContain('>>> ')
  first.type('remember me\r/bye\r')
  expect(await first.done).toBe(0)
  const file = join(data, 'chat-history')
  expect(await readFile(file, 'utf8')).toBe('remember me\n/bye\n')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  const second = start(['chat'], setting)
  await expect.poll(second.err).toContain('>>> ')
  const UP = '\u001b[A'
  second.type(`${UP}${UP}\r`)
  await expect.poll(second.out).toContain('Hi there')
  second.type('/bye\r')
  expect(await second.done).toBe(0)
  expect(second.engine.calls[0]?.prompt).toEqual([user('remember me')])
})
