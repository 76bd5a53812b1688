/** Servers that are busy, silent, broken, absent, or none of ours: asked again where that helps, and said what it is. */
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { run, start } from '../../test/cli-terminal.ts'

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

/** A server that answers the first request with the first of these, and so on; the last again and again. */
async function scripted(...answers: ((response: ServerResponse) => void)[]) {
  let requests = 0
  const handle: RequestListener = (request, response) => {
    request.resume()
    const answer = answers[Math.min(requests++, answers.length - 1)]
    answer?.(response)
  }
  const server = createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, requests: () => requests }
}

const refusal =
  (status: number, message: string, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify({ error: { message, type: 't', code: 'c', request_id: 'req_7' } }))
  }

const frames =
  (...payloads: unknown[]) =>
  (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const payload of payloads) {
      response.write(`data: ${typeof payload === 'string' ? payload : JSON.stringify(payload)}\n\n`)
    }
    response.end()
  }

const word = { model: 'm', choices: [{ text: 'Hi', finish_reason: null }] }
const end = { model: 'm', choices: [{ text: '', finish_reason: 'stop' }] }
const whole = frames(word, end, '[DONE]')

const generate = (url: string, ...flags: string[]) =>
  run(['generate', 'x', '--url', url, '--retry-delay', '0.001', ...flags])

test('a limit and a busy server are asked again, and that is said', async () => {
  const { url, requests } = await scripted(
    refusal(429, 'Too many requests', { 'retry-after': '0' }),
    refusal(503, 'The model is still loading'),
    whole,
  )
  const { code, stdout, stderr } = await generate(url)
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'Hi\n' })
  expect(requests()).toBe(3)
  expect(stderr).toContain(`${url} says: Too many requests. Asking again in 0.0 s (1 of 3).\n`)
  expect(stderr).toContain('says: The model is still loading. Asking again in 0.0 s (2 of 3).\n')
})

test('a connection that was cut before the answer is asked again', async () => {
  const { url, requests } = await scripted((response) => response.socket?.destroy(), whole)
  expect(await generate(url)).toMatchObject({ code: 0, stdout: 'Hi\n' })
  expect(requests()).toBe(2)
})

test('only so often, and not where the server says that it makes no sense', async () => {
  const busy = await scripted(refusal(503, 'full', { 'retry-after': '0' }))
  const given = await generate(busy.url, '--max-retries', '2')
  expect(given.code).toBe(1)
  expect(busy.requests()).toBe(3)
  expect(given.stderr).toContain(`illuminator: ${busy.url} says: full. Try again in 0 s.\n`)
  const never = await scripted(refusal(504, 'late', { 'x-should-retry': 'false' }))
  expect((await generate(never.url)).stderr).toContain('says: late. (request req_7)')
  expect(never.requests()).toBe(1)
})

test.each([
  ['3', /Asking again in 3\.0 s \(1 of 3\)/],
  ['90', /Try again in 90 s\./],
  ['3000', /Try again in 50 min\./],
  ['36000', /Try again in 10 h\./],
])(
  'Retry-After of %s s is waited for where that is short, and told where it is long',
  async (seconds, message) => {
    const { url, requests } = await scripted(refusal(429, 'Slow down.', { 'retry-after': seconds }))
    const started = start(['generate', 'x', '--url', url])
    await expect.poll(started.err).toMatch(message)
    started.interrupt()
    expect(await started.done).toBe(seconds === '3' ? 130 : 1)
    expect(requests()).toBe(1)
  },
)

test('a server that says nothing, before an answer or within it', async () => {
  const silent = await scripted(() => {})
  const { code, stderr } = await generate(silent.url, '--timeout', '0.05')
  expect(code).toBe(1)
  expect(stderr).toContain(
    `${silent.url} said nothing for 0.05 s; --timeout, or "illuminator config set timeout <seconds>", allows more.`,
  )
  const stuck = await scripted((response) => {
    response.writeHead(200).write(`data: ${JSON.stringify(word)}\n\n`)
  })
  const cut = await generate(stuck.url, '--timeout', '0.3')
  expect(cut).toMatchObject({ code: 1, stdout: 'Hi' })
  expect(cut.stderr).toContain('said nothing for 0.3 s')
})

test('comments are a sign of life', async () => {
  const { url } = await scripted((response) => {
    response.writeHead(200)
    let beats = 0
    const timer = setInterval(() => {
      response.write(': keep-alive\n\n')
      if (++beats < 8) return
      clearInterval(timer)
      for (const frame of [word, end]) response.write(`data: ${JSON.stringify(frame)}\n\n`)
      response.end('data: [DONE]\n\n')
    }, 50)
  })
  expect(await generate(url, '--timeout', '0.3')).toMatchObject({ code: 0, stdout: 'Hi\n' })
})

test('an answer that breaks off is no answer', async () => {
  const half = await scripted(frames(word))
  const ended = await generate(half.url)
  expect(ended).toMatchObject({ code: 1, stdout: 'Hi' })
  expect(ended.stderr).toContain(`The answer of ${half.url} broke off: it ended before its end.`)
  const torn = await scripted((response) => {
    response.writeHead(200).write(`data: ${JSON.stringify(word)}\n\n`)
    setTimeout(() => response.socket?.destroy(), 50)
  })
  expect((await generate(torn.url)).stderr).toMatch(/broke off: the connection was cut\./)
  expect(torn.requests()).toBe(1)
})

test('nobody there', async () => {
  const { url } = await scripted()
  for (const close of open.splice(0)) close()
  const { code, stdout, stderr } = await generate(url)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toBe(
    `illuminator: No server listens at ${url}. "illuminator serve" starts one; another is named by --url, ILLUMINATOR_URL or "illuminator config set base_url <url>".\n`,
  )
  expect((await generate('http://nobody.invalid')).stderr).toMatch(
    /http:\/\/nobody\.invalid cannot be reached: (no machine has that name|the name cannot be looked up now)\./,
  )
})

test('a server of something else', async () => {
  const page = await scripted((response) => response.writeHead(404).end('<html>Not found</html>'))
  expect((await generate(page.url)).stderr).toMatch(
    /answers 404 as no server .* does; correct the address/,
  )
  const odd = await scripted(frames('<html>'))
  expect((await generate(odd.url)).stderr).toContain('sends what is no JSON in its stream.')
  const other = await scripted(frames({ ok: true }))
  expect((await generate(other.url)).stderr).toContain('as no server of language models does')
  const chat = await scripted((response) => response.end('{"ok": true}'))
  expect((await run(['chat', '--url', chat.url], { stdin: 'x' })).stderr).toContain('as no server')
})

test('another vendor’s server: its words, and counts that it does not tell', async () => {
  const { url } = await scripted((response) => {
    response.writeHead(404, { 'content-type': 'application/json' })
    response.end('{"error": {"message": "model not found, try pulling it", "code": null}}')
  }, whole)
  expect((await generate(url)).stderr).toContain(`${url} says: model not found, try pulling it.`)
  expect((await generate(url, '--stats')).stderr).toMatch(
    /^\d\.\d s · first after \d+ ms · stop\n$/,
  )
})
