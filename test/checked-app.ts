/** An application whose answers under `/v1` are held against OpenAI's schemas, in process and over sockets. */
import type { createApp } from '../server/app.ts'
import { type Events, eventsIn } from '../server/sse.ts'
import { type Asked, checkOpenAiShape } from './openai-shapes.ts'

type App = ReturnType<typeof createApp>

/** @param tell hears what is not OpenAI's */
export function checkedApp(app: App, tell: (fault: unknown) => void): App {
  const answer = app.fetch
  const check = (asked: Asked, kind: 'body' | 'chunk', text: string) => {
    try {
      checkOpenAiShape(asked, kind, JSON.parse(text))
    } catch (fault) {
      tell(fault)
    }
  }
  app.fetch = async (request, ...rest) => {
    const response = await answer(request, ...rest)
    const asked = { method: request.method, path: new URL(request.url).pathname }
    if (!asked.path.startsWith('/v1/')) return response
    const events = eventsIn(response)
    if (events) watchFrames(events, (data) => check(asked, 'chunk', data))
    else if (response.headers.get('content-type') === 'application/json') {
      const text = await response.clone().text()
      if (text !== '') check(asked, 'body', text)
    }
    return response
  }
  return app
}

/** Of a stream that goes to a socket; those that are read in process go past, and their readers check them. */
function watchFrames(events: Events, see: (data: string) => void): void {
  const { source } = events
  const watched: AsyncIterator<string> = {
    async next() {
      const step = await source.next()
      if (step.done) return step
      const [, data = ''] = /^data: (.*)\n\n$/s.exec(step.value) ?? []
      if (data !== '[DONE]') see(data)
      return step
    },
    return: async () => (await source.return?.()) ?? { done: true, value: undefined },
  }
  Object.assign(events, { source: watched })
}
