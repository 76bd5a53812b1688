/** An application whose answers under `/v1` are held against OpenAI's schemas, in process and over sockets. */
import type { createApp } from '../server/app.ts'
import { type Events, eventsIn, type Frames } from '../server/sse.ts'
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
  const { frames } = events
  const watched: Frames = {
    take() {
      const text = frames.take()
      for (const [, data = ''] of text.matchAll(/^data: (.*)$/gm)) if (data !== '[DONE]') see(data)
      return text
    },
    get isOver() {
      return frames.isOver
    },
    wait: (hear) => frames.wait(hear),
    leave: () => frames.leave(),
  }
  Object.assign(events, { frames: watched })
}
