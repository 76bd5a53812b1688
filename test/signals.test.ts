/** Signals to a real process: it finishes what it can, ends the rest with an error frame, and leaves with 0. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { exitCode } from './command-line.ts'

const HERE = import.meta.dirname
const children: ChildProcessWithoutNullStreams[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** A server process, once it listens. */
async function started(kind: 'slow' | 'loading', drain: string) {
  const loader = join(HERE, 'run-typescript.mjs')
  const serve = ['serve', '--port', '0', '--data', ':memory:', '--drain', drain]
  const args = ['--import', loader, join(HERE, 'signals-server.ts'), kind, ...serve]
  const child = spawn(process.execPath, args)
  children.push(child)
  let out = ''
  child.stdout.on('data', (data) => (out += data))
  let err = ''
  child.stderr.on('data', (data) => (err += data))
  const ready = kind === 'slow' ? 'curl -N' : 'listens on'
  await expect.poll(() => out, { timeout: 20_000 }).toContain(ready)
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(out)?.[0] ?? ''
  return { child, url, err: () => err, ended: exitCode(child) }
}

/** A stream of which something has come. */
async function stream(url: string, tokens: number) {
  const body = JSON.stringify({ prompt: 'x', stream: true, max_tokens: tokens })
  const response = await fetch(`${url}/generate`, { method: 'POST', body })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const read = async (until: (text: string) => boolean) => {
    for (;;) {
      const step = await reader?.read()
      if (!step || step.done) return text
      text += step.value
      if (until(text)) return text
    }
  }
  await read((so) => so.includes('"index":0'))
  return { rest: () => read(() => false) }
}

test('a signal lets an answer finish, and the exit code is 0', async () => {
  const { child, url, err, ended } = await started('slow', '30')
  const { rest } = await stream(url, 10)
  child.kill('SIGTERM')
  expect(await rest()).toMatch(/data: \[DONE\]\n\n$/)
  expect(await ended).toBe(0)
  const last = err().trim().split('\n').at(-1) ?? ''
  expect(JSON.parse(last)).toMatchObject({ level: 'info', msg: 'closed' })
})

test('what the drain does not wait for ends with an error frame, and the exit code is 0 all the same', async () => {
  const { child, url, ended } = await started('slow', '0.2')
  const { rest } = await stream(url, 900)
  child.kill('SIGTERM')
  const text = await rest()
  expect(text).toMatch(/data: {"error":{"type":"model_error","code":"draining"[^\n]*\n\n$/)
  expect(text).not.toContain('[DONE]')
  expect(await ended).toBe(0)
})

test('a second signal leaves at once, whatever is under way', async () => {
  const { child, url, err, ended } = await started('slow', '3600')
  const { rest } = await stream(url, 900)
  const cut = expect(rest()).rejects.toThrow()
  child.kill('SIGTERM')
  await expect.poll(err).toContain('again to leave at once')
  child.kill('SIGTERM')
  expect(await ended).toBe(143)
  await cut
})

test('a signal as soon as it listens, before its application is read, is a shutdown like any other', async () => {
  const { child, err, ended } = await started('loading', '30')
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect(err()).toContain('"msg":"closed"')
})

test('a signal during the load stops the load; health is answered all the while', async () => {
  const { child, url, ended } = await started('loading', '30')
  const health = await fetch(`${url}/health`)
  expect(health.status).toBe(503)
  expect(await health.json()).toMatchObject({ status: 'loading', model_loaded: false })
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
})
