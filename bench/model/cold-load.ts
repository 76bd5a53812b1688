/** Loads a model once, and prints how long that took and what it answers: run as a process of its own by `loading.ts`, with empty caches. */
import { Engine } from '../../engine/index.ts'
import { promptOf } from '../prompts.ts'
import { COLD_PROMPT, watchLoad } from './loading.ts'

const { model, adapter } = JSON.parse(process.argv[2] ?? '{}') as {
  model?: string
  adapter?: string
}
const { onProgress, times } = watchLoad()
const engine = await Engine.load(model, { ...(adapter ? { adapter } : {}), onProgress })
const took = times()
const prompt = promptOf(COLD_PROMPT.length, engine.info.vocabularySize)
const answer = { maxTokens: COLD_PROMPT.tokens, temperature: 0, ignoreEos: true }
const { ids } = await engine.generate(prompt, answer).result()
await engine.close()
process.stdout.write(JSON.stringify({ ...took, ids }))
