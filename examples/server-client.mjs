// A client of a running server (npm start), without any package: OpenAI's chat endpoint, streamed.
// node examples/server-client.mjs "Why is the sky blue?"      ILLUMINATOR_URL: another address than 127.0.0.1:8000
const base = process.env.ILLUMINATOR_URL ?? 'http://127.0.0.1:8000'

const response = await fetch(`${base}/v1/chat/completions`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    messages: [{ role: 'user', content: process.argv[2] ?? 'What is the capital of France?' }],
    temperature: 0,
    max_tokens: 60,
    stream: true,
    stream_options: { include_usage: true },
  }),
})
if (!response.ok) {
  const { error } = await response.json()
  throw new Error(`${response.status} ${error.code}: ${error.message}`)
}

let rest = ''
for await (const bytes of response.body.pipeThrough(new TextDecoderStream())) {
  const frames = (rest + bytes).split('\n\n')
  rest = frames.pop()
  for (const frame of frames) {
    // Lines that begin with a colon are comments: they keep the connection open.
    if (!frame.startsWith('data: ') || frame === 'data: [DONE]') continue
    const { choices, usage, error } = JSON.parse(frame.slice(6))
    if (error) throw new Error(error.message)
    process.stdout.write(choices[0]?.delta.content ?? '')
    if (usage) console.error(`\n${usage.completion_tokens} tokens`)
  }
}
