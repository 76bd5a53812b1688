// A chat bot in the terminal: it remembers the conversation, Ctrl-C stops an answer, Ctrl-D ends it.
// From a clone: npm run build && node examples/chat-bot.mjs        (lines may also come from a pipe)
import { createInterface } from 'node:readline/promises'
import { Engine } from 'illuminator'

const engine = await Engine.load(process.env.MODEL) // SmolLM2-135M-Instruct unless another is named
const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: '> ' })
const messages = [{ role: 'system', content: 'You are a helpful assistant. Answer briefly.' }]
let answering = null
lines.on('SIGINT', () => (answering ? answering.abort() : lines.close()))

lines.prompt()
for await (const line of lines) {
  messages.push({ role: 'user', content: line })
  answering = new AbortController()
  const options = { maxTokens: 200, temperature: 0, signal: answering.signal }
  let answer = ''
  try {
    for await (const { text } of engine.chat(messages, options)) {
      answer += text
      process.stdout.write(text)
    }
  } catch (error) {
    // A conversation that has outgrown the context ends here, too: `context_length`.
    if (error.code !== 'aborted') throw error
  }
  answering = null
  // What was said until Ctrl-C is part of the conversation.
  messages.push({ role: 'assistant', content: answer })
  process.stdout.write('\n')
  lines.prompt()
}
await engine.close()
