// What an application would log of its model: loading, every request with its counts and times, errors by their code.
// From a clone: npm run build && node examples/structured-logs.mjs "Once upon a time"

import { Engine } from 'illuminator'
import { pino } from 'pino'

const log = pino({ base: null }, process.stderr)
const began = performance.now()
const engine = await Engine.load(process.env.MODEL, {
  onProgress({ phase, done, total }) {
    if (done === total) log.info({ phase, total }, 'loading')
  },
})
const { id, weights, contextLength } = engine.info
log.info(
  { model: id, weights, contextLength, adapter: engine.stats.adapter.name, ms: since(began) },
  'loaded',
)

/** Generates, and logs what it cost: never the prompt or the answer. */
async function logged(prompt, options) {
  try {
    const { text, finishReason, usage, timings } = await engine.generate(prompt, options).result()
    log.info({ finishReason, ...usage, ...timings }, 'answered')
    return text
  } catch (error) {
    // `code` is for programs (see engine/errors.ts), `param` names the option at fault.
    log.error({ code: error.code, param: error.param, message: error.message }, 'refused')
    return null
  }
}

console.log(await logged(process.argv[2] ?? 'Once upon a time', { maxTokens: 30, temperature: 0 }))
await logged('x', { temperature: 3 })
log.info({ ...engine.stats.memory.byPurpose }, 'GPU bytes')
await engine.close()

function since(time) {
  return Math.round(performance.now() - time)
}
