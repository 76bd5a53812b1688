// Summarises many texts at once: all are handed over, the engine serves them side by side in shared steps, and the
// instruction that they have in common is computed once. One JSON line a text, in the order of the texts.
// From a clone: npm run build && node examples/batch-summaries.mjs README.md docs/*.md
import { readFile } from 'node:fs/promises'
import { Engine } from 'illuminator'

const files = process.argv.slice(2)
if (files.length === 0) throw new Error('usage: node examples/batch-summaries.mjs FILE…')

const engine = await Engine.load(process.env.MODEL, { maxSequences: 8 })
try {
  const summaries = files.map(async (file) => {
    const text = (await readFile(file, 'utf8')).slice(0, 1000)
    const messages = [
      { role: 'system', content: 'Say in one short sentence what the text is about.' },
      { role: 'user', content: text },
    ]
    // `batch` work leaves the way free for whatever else the application asks meanwhile.
    const options = { maxTokens: 40, temperature: 0, priority: 'batch' }
    const { text: summary, usage } = await engine.chat(messages, options).result()
    return { file, summary: summary.trim(), usage }
  })
  for (const summary of summaries) console.log(JSON.stringify(await summary))
  const { promptTokens, cachedTokens } = engine.stats.prefix
  console.error(`${cachedTokens} of ${promptTokens} prompt tokens came from the cache`)
} finally {
  await engine.close()
}
