/** Loads a model once and prints how long that took: run as a process of its own by `loading.ts`, with empty caches. */
import { Engine } from '../../engine/index.ts'
import { watchLoad } from './loading.ts'

const { model, adapter } = JSON.parse(process.argv[2] ?? '{}') as {
  model?: string
  adapter?: string
}
const { onProgress, times } = watchLoad()
const engine = await Engine.load(model, { ...(adapter ? { adapter } : {}), onProgress })
const took = times()
await engine.close()
process.stdout.write(JSON.stringify(took))
