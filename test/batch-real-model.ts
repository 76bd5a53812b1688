/**
 * `illuminator batch` with a real model, killed in its middle (`kill -9`) and torn in the middle of a line: in the end
 * each prompt has one line. Run by hand, with the adapter that the environment names:
 * `node --import ./test/run-typescript.mjs test/batch-real-model.ts --model FOLDER --prompts 200 --kills 2 --max-tokens 8`
 */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { countLines, killHard, parsedLines, startScript, tear } from './batch-restarts.ts'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'HuggingFaceTB/SmolLM2-135M-Instruct' },
    prompts: { type: 'string', default: '200' },
    kills: { type: 'string', default: '2' },
    'max-tokens': { type: 'string', default: '8' },
  },
})
const [count, kills] = [Number(values.prompts), Number(values.kills)]
const folder = mkdtempSync(join(tmpdir(), 'illuminator-batch-real-'))
const [prompts, output] = [join(folder, 'prompts.txt'), join(folder, 'results.jsonl')]
const texts = Array.from({ length: count }, (_, i) => `Fact number ${i} about the number ${i}:`)
writeFileSync(prompts, texts.map((text) => `${text}\n`).join(''))

const say = (line: string) => process.stdout.write(`${line}\n`)

function start() {
  const model = [
    '--model',
    values.model,
    '--max-tokens',
    values['max-tokens'],
    '--temperature',
    '0',
  ]
  const args = [
    'batch',
    prompts,
    '--output',
    output,
    '--workers',
    '4',
    '--batch-size',
    '4',
    ...model,
  ]
  return startScript('../cli/main.ts', args, { XDG_CONFIG_HOME: folder })
}

for (let kill = 1; kill <= kills; kill++) {
  const run = start()
  const goal = Math.floor((kill * count) / (kills + 1))
  while (countLines(output) < goal && run.child.exitCode === null) await sleep(20)
  await killHard(run)
  const killed = countLines(output)
  tear(output)
  say(`killed with ${killed} lines; its last one is cut short`)
}
const last = start()
const code = await last.ended
say(last.err().trim())
const lines = parsedLines(output)
const isWhole = lines.every(
  ({ index, prompt, status, generated_text: text }, at) =>
    index === at && prompt === texts[at] && status === 'completed' && text !== '',
)
say(`exit code ${code}, ${lines.length} lines of ${count} prompts, each its own: ${isWhole}`)
say(output)
if (code !== 0 || lines.length !== count || !isWhole) process.exitCode = 1
