/**
 * Holds folders that `test/python/random_goldens.py` wrote against their goldens: every stored logit, greedy ids, and one
 * prompt alone. Prints a line a folder; exits with 1 where one is wrong or refused. With QUANTIZE=int4 or another type the
 * model is quantized on load: then the distance is printed, and wrong is only what is no number.
 * Usage: node --import ./test/run-typescript.mjs test/random-goldens.ts FOLDER…
 */
import { basename } from 'node:path'
import type { QuantizeType } from '../engine/api.ts'
import { Engine } from '../engine/engine.ts'
import { farthest, NEAR_TIE, parting, readGolden } from './goldens.ts'

const QUANTIZE = process.env.QUANTIZE as QuantizeType | undefined
const TOLERANCE = QUANTIZE ? Number.POSITIVE_INFINITY : 2e-3

/** What is wrong, and the largest distance. */
async function check(folder: string): Promise<string[]> {
  const golden = readGolden(folder)
  const faults: string[] = []
  const engine = await Engine.load(folder, {
    ...{ kv: 'f32', activations: 'f32' },
    ...(QUANTIZE ? { quantize: QUANTIZE } : {}),
    ...(golden.context ? { contextLength: golden.context } : {}),
  })
  try {
    const answers = await Promise.all(
      golden.prompts.map(({ ids, greedy }) =>
        engine.logits(ids, { all: true, greedy: greedy.length }),
      ),
    )
    let most = 0
    for (const [i, prompt] of golden.prompts.entries()) {
      const answer = answers[i] as (typeof answers)[number]
      const { distance, at } = farthest(prompt, answer)
      most = Math.max(most, distance)
      if (!(distance < TOLERANCE)) faults.push(`${distance.toPrecision(3)} off at ${at}`)
      const parts = await parting(engine, prompt, answer.greedy)
      if (parts && !QUANTIZE && !(parts.lead < NEAR_TIE)) {
        faults.push(`prompt of ${prompt.ids.length}: ids part at ${parts.at}, lead ${parts.lead}`)
      }
    }
    const alone = await engine.logits(golden.prompts.at(-1)?.ids ?? [])
    if (alone.last.some((value, id) => value !== answers.at(-1)?.last[id])) {
      faults.push('a prompt alone has other logits')
    }
    process.stdout.write(`${basename(folder)}: ${most.toExponential(1)}`)
  } finally {
    await engine.close()
  }
  return faults
}

let wrong = 0
for (const folder of process.argv.slice(2)) {
  const faults = await check(folder).catch((error: unknown) => [
    `${basename(folder)}: ${String(error)}`,
  ])
  process.stdout.write(faults.length > 0 ? ` WRONG ${faults.join('; ')}\n` : ' ok\n')
  if (faults.length > 0) wrong++
}
process.stdout.write(`${process.argv.length - 2} folders, ${wrong} wrong\n`)
process.exitCode = wrong > 0 ? 1 : 0
