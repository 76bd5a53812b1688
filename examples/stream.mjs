// Text as it is made, sampled, with a stop string; Ctrl-C ends the answer and not the program's manners.
// From a clone: npm run build && node examples/stream.mjs "Once upon a time"
import { Engine } from 'illuminator'

const controller = new AbortController()
process.once('SIGINT', () => controller.abort())

const engine = await Engine.load(undefined, {
  onProgress: ({ phase, done, total }) => {
    if (done === total) console.error(`${phase}: done`)
  },
  signal: controller.signal,
})
try {
  const prompt = process.argv[2] ?? 'Once upon a time'
  const options = {
    maxTokens: 60,
    temperature: 0.7,
    topP: 0.9,
    seed: 7, // the same answer every time, on the same adapter
    stop: ['\n\n'],
    signal: controller.signal,
  }
  for await (const { text, finishReason, usage } of engine.generate(prompt, options)) {
    process.stdout.write(text)
    if (usage) console.error(`\n${usage.completionTokens} tokens, ended by ${finishReason}`)
  }
} catch (error) {
  // Every failure of the engine is an EngineError with a `code`; see engine/errors.ts.
  if (error.name !== 'EngineError' || error.code !== 'aborted') throw error
  console.error('\nstopped')
} finally {
  await engine.close()
}
