/** `illuminator batch --url`: a server that answers, is busy, goes away for a while, or wants a key. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { run, type Setting } from './cli-terminal.ts'
import { serveFake } from './served-fake.ts'

let folder = ''
let prompts = ''
let output = ''
const closing: (() => Promise<unknown>)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'illuminator-batch-remote-'))
  prompts = join(folder, 'prompts.txt')
  output = join(folder, 'results.jsonl')
  writeFileSync(prompts, Array.from({ length: 40 }, (_, i) => `prompt ${i}\n`).join(''))
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const batch = (url: string, args: readonly string[] = [], setting: Setting = {}) =>
  run(['batch', prompts, '--output', output, '--url', url, '--retry-delay', '0.01', ...args], {
    env: { XDG_CONFIG_HOME: folder },
    ...setting,
  })
const results = () =>
  readFileSync(output, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

/** @param asked a prompt; @param count how many were asked before */
type Misbehave = (asked: string, response: ServerResponse, count: number) => boolean

/** A hop before a real server; `misbehave` answers itself (true) or lets a request pass. */
async function hop(misbehave: Misbehave) {
  const served = await serveFake({ words: ['Hi', ' there'] })
  let count = 0
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const isAsked = request.url === '/v1/completions'
    if (isAsked && misbehave(JSON.parse(String(body)).prompt, response, count++)) return
    await pass(request, body, response, served.url)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await served.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, engine: served.engine }
}

async function pass(request: IncomingMessage, body: Buffer, response: ServerResponse, to: string) {
  const answer = await fetch(`${to}${request.url}`, {
    method: request.method ?? 'GET',
    headers: { 'content-type': 'application/json' },
    ...(body.length > 0 ? { body } : {}),
  })
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
  response.end(Buffer.from(await answer.arrayBuffer()))
}

const refuse = (response: ServerResponse, status: number, headers: Record<string, string> = {}) => {
  const error = { type: 'e', code: 'e', message: 'No.', param: null, request_id: 'r' }
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify({ error }))
  return true
}

function expectWhole(): void {
  expect(results()).toEqual(
    Array.from({ length: 40 }, (_, index) =>
      expect.objectContaining({
        index,
        status: 'completed',
        prompt: `prompt ${index}`,
        generated_text: 'Hi there',
        tokens_generated: 2,
        finish_reason: 'stop',
        model_version: 'fake/tiny-1',
      }),
    ),
  )
}

test('a server answers as a model here does, and gets what a line asks for', async () => {
  const { url, engine } = await hop(() => false)
  const done = await batch(url)
  expect({ code: done.code, loads: done.loads }).toEqual({ code: 0, loads: [] })
  expectWhole()
  const line = { prompt: 'x', typical_p: 0.5, logit_bias: { 5: 1 }, stop_token_ids: [7] }
  prompts = join(folder, 'prompts.jsonl')
  output = join(folder, 'other.jsonl')
  const more = {
    priority: 'batch',
    cache_salt: 's',
    return_full_text: true,
    ignore_eos: true,
    max_tokens: 2,
  }
  writeFileSync(prompts, JSON.stringify({ ...line, ...more }))
  expect((await batch(url)).code).toBe(0)
  expect(results()[0].generated_text).toBe('xHi there')
  expect(engine.calls.at(-1)?.options).toMatchObject({
    typicalP: 0.5,
    logitBias: { 5: 1 },
    stopTokenIds: [7],
    priority: 'batch',
    cacheSalt: 's',
    ignoreEos: true,
  })
})

test('what is busy or has a limit is asked again when it says so; every prompt is answered once', async () => {
  const { url, engine } = await hop((_, response, count) => {
    if (count % 3 === 0) return refuse(response, 429, { 'retry-after': '0' })
    return count % 7 === 0 && refuse(response, 503)
  })
  expect((await batch(url)).code).toBe(0)
  expectWhole()
  expect(engine.calls).toHaveLength(40)
})

test('a wait that the server asks for is told', async () => {
  const { url } = await hop((_, response, count) => {
    return count < 4 && refuse(response, 429, { 'retry-after': '1' })
  })
  const { code, stderr } = await batch(url, ['--workers', '2', '--batch-size', '2'])
  expect(code).toBe(0)
  expectWhole()
  expect(stderr).toContain('the server asks to wait 1 s')
})

test('connections that break are tried again; a prompt that always breaks them fails alone', async () => {
  const { url } = await hop((asked, response, count) => {
    if (count % 5 !== 0 && asked !== 'prompt 9') return false
    response.destroy()
    return true
  })
  expect((await batch(url, ['--max-retries', '5'])).code).toBe(1)
  const failed = results().filter(({ status }) => status === 'failed')
  expect(failed).toMatchObject([{ index: 9, code: 'connection' }])
  expect(results()).toHaveLength(40)
})

test('a key that is revoked in between ends it at once; the next run goes on', async () => {
  let revoked = true
  const { url } = await hop((_, response, count) => revoked && count >= 10 && refuse(response, 401))
  const { code, stderr } = await batch(url, ['--batch-size', '4'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/\d+ of 40 prompts are answered; the same command goes on\.\n.*API key/)
  const kept = results().length
  expect(kept).toBeGreaterThan(0)
  revoked = false
  const later = await batch(url)
  expect(later.code).toBe(0)
  expectWhole()
})

test('what the server refuses of one prompt is its line', async () => {
  const { url } = await hop((_, response, count) => count === 3 && refuse(response, 422))
  const { code, stderr } = await batch(url, ['--batch-size', '1'])
  expect(code).toBe(1)
  expect(stderr).toContain('1 of 40 prompts failed')
  expect(results()[3]).toEqual({
    index: 3,
    status: 'failed',
    prompt: 'prompt 3',
    error: `${url} says: No.`,
    code: 'e',
  })
  expect((await batch(url, ['--retry-failed'])).code).toBe(0)
  expectWhole()
})

test('an address where nobody listens, and flags of a model here, end it before anything', async () => {
  const gone = await serveFake()
  await gone.close()
  const nobody = await batch(gone.url)
  expect(nobody.code).toBe(1)
  expect(nobody.stderr).toContain(`No server listens at ${gone.url}`)
  const { url } = await hop(() => false)
  const local = await batch(url, ['--max-sequences', '4'])
  expect(local.code).toBe(2)
  expect(local.stderr).toContain('--max-sequences is about a model in this process')
})
