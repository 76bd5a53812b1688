/**
 * For tests of the routes: the application over a fake engine, and short ways to call it and to read its answers. On
 * the way every status is held against our OpenAPI document, and what is read of OpenAI's paths against OpenAI's
 * schemas.
 */
import { type AppOptions, createApp } from '../server/app.ts'
import { FakeEngine, type FakeOptions } from '../server/fake-engine.ts'
import { Lifecycle } from '../server/lifecycle.ts'
import { Models } from '../server/models/models.ts'
import { checkDeclared } from './declared-answers.ts'
import { type Asked, checkOpenAiShape } from './openai-shapes.ts'

/** What an error answer must look like. */
export interface WireError {
  error: { type: string; code: string; message: string; param: string | null; request_id: string }
}

/** What answers that came without a socket, and so without an address, are to. */
const ASKED = new WeakMap<Response, Asked>()

/** An application whose engine is ready; `logged` gathers the operator's lines. */
export function testApp(options: FakeOptions = {}, settings: Partial<AppOptions> = {}) {
  const engine = new FakeEngine(options)
  const lifecycle = new Lifecycle(Models.of(engine, ['tiny']))
  const logged: string[] = []
  const log = (line: string) => logged.push(line)
  const app = createApp({ lifecycle, log, ...settings })
  const answer = app.fetch
  app.fetch = async (request, ...rest) => {
    const response = await answer(request, ...rest)
    const { pathname } = new URL(request.url)
    checkDeclared(request.method, pathname, response.status)
    ASKED.set(response, { method: request.method, path: pathname })
    return response
  }
  const post = async (path: string, body: unknown, init: RequestInit = {}) =>
    app.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
    })
  return { app, engine, lifecycle, logged, post }
}

const askedOf = (response: Response): Asked =>
  ASKED.get(response) ?? { path: response.url === '' ? '' : new URL(response.url).pathname }

/** The body as JSON; the caller says what it expects. */
export async function json<T>(response: Response): Promise<T> {
  const body: unknown = await response.json()
  checkOpenAiShape(askedOf(response), 'body', body)
  return body as T
}

/** The payloads of the data frames, `[DONE]` as that string; comments are left out. */
export async function frames(response: Response): Promise<unknown[]> {
  const asked = askedOf(response)
  const text = await response.text()
  return text
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: '))
    .map((frame) => frame.slice('data: '.length))
    .map((data): unknown => {
      if (data === '[DONE]') return data
      const payload: unknown = JSON.parse(data)
      checkOpenAiShape(asked, 'chunk', payload)
      return payload
    })
}
