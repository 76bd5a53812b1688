// Express: POST /chat streams an answer as text; a client that leaves ends the work.
// npm install express, then from a clone: npm run build && node examples/express.mjs
//   curl -N http://127.0.0.1:3000/chat -H 'content-type: application/json' -d '{"message":"Why is the sky blue?"}'
import express from 'express'
import { Engine } from 'illuminator'

const engine = await Engine.load(process.env.MODEL)
const app = express()
app.use(express.json({ limit: '64kb' }))

/** HTTP statuses of the engine's error codes that a client can do something about. */
const STATUS = { bad_request: 400, context_length: 400, overloaded: 503, timeout: 504 }

app.post('/chat', async (request, response) => {
  const message = request.body?.message
  if (typeof message !== 'string')
    return response.status(400).json({ error: 'message must be a string' })
  const left = new AbortController()
  response.on('close', () => left.abort())
  const messages = [{ role: 'user', content: message }]
  try {
    const answer = engine.chat(messages, { maxTokens: 200, temperature: 0, signal: left.signal })
    response.type('text/plain')
    for await (const { text } of answer) {
      // A slow reader slows the answer down, instead of filling the memory.
      if (!response.write(text))
        await new Promise((resume) => response.once('drain', resume).once('close', resume))
    }
    response.end()
  } catch (error) {
    if (error.code === 'aborted') return
    if (response.headersSent) return response.destroy(error)
    response.status(STATUS[error.code] ?? 500).json({ error: error.message })
  }
})

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
process.once('SIGTERM', () => server.close(() => engine.close()))
