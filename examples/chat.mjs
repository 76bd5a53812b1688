// One question, one answer. From a clone: npm run build && node examples/chat.mjs "Why is the sky blue?"
import { Engine } from 'illuminator'

const engine = await Engine.load() // SmolLM2-135M-Instruct, fetched once; or an id, or a folder
const question = process.argv[2] ?? 'What is the capital of France?'
const messages = [{ role: 'user', content: question }]
const { text, timings } = await engine.chat(messages, { temperature: 0, maxTokens: 60 }).result()
console.log(text)
console.error(`${timings.tokensPerSecond.toFixed(1)} tokens/s on ${engine.stats.adapter.name}`)
await engine.close()
