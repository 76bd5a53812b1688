/** For tests of the routes: the application over a fake engine, and short ways to call it and to read its streams. */
import { createApp } from '../server/app.ts'
import { FakeEngine, type FakeOptions } from '../server/fake-engine.ts'
import { Lifecycle } from '../server/lifecycle.ts'

/** What an error answer must look like. */
export interface WireError {
  error: { type: string; code: string; message: string; param: string | null; request_id: string }
}

/** An application whose engine is ready; `logged` gathers the operator's lines. */
export function testApp(
  options: FakeOptions = {},
  settings: { keepAliveMs?: number; timeoutMs?: number } = {},
) {
  const engine = new FakeEngine(options)
  const lifecycle = new Lifecycle(engine)
  const logged: string[] = []
  const log = (line: string) => logged.push(line)
  const app = createApp({ lifecycle, aliases: ['tiny'], log, ...settings })
  const post = (path: string, body: unknown, init: RequestInit = {}) =>
    app.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
    })
  return { app, engine, lifecycle, logged, post }
}

/** The body as JSON; the caller says what it expects. */
export async function json<T>(response: Response): Promise<T> {
  return (await response.json()) as T
}

/** The payloads of the data frames, `[DONE]` as that string; comments are left out. */
export async function frames(response: Response): Promise<unknown[]> {
  const text = await response.text()
  return text
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: '))
    .map((frame) => frame.slice('data: '.length))
    .map((data): unknown => (data === '[DONE]' ? data : JSON.parse(data)))
}
