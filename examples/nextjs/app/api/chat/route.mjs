// Next.js, App Router: POST /api/chat with { messages } streams the answer's text. In next.config:
//   serverExternalPackages: ['illuminator', 'webgpu']        (native code is not for bundlers)
import { sharedEngine } from '../../../engine.mjs'

export const runtime = 'nodejs' // not "edge": the engine needs Node

export async function POST(request) {
  const { messages } = await request.json()
  const engine = await sharedEngine()
  let answer
  let first
  try {
    const options = { maxTokens: 200, temperature: 0, signal: request.signal }
    answer = engine.chat(messages, options)[Symbol.asyncIterator]()
    // The engine checks a request before its first token: what is wrong still gets a status.
    first = await answer.next()
  } catch (error) {
    const status = error.code === 'bad_request' || error.code === 'context_length' ? 400 : 500
    return Response.json({ error: error.message }, { status })
  }
  const encoder = new TextEncoder()
  const body = new ReadableStream({
    async pull(controller) {
      const { value, done } = first ?? (await answer.next())
      first = undefined
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value.text))
    },
    // Who leaves ends the work.
    cancel: () => answer.return(),
  })
  return new Response(body, { headers: { 'content-type': 'text/plain; charset=utf-8' } })
}
