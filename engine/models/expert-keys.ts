/** How many experts there are and how many a token goes through. */
import { badKey } from './validate.ts'

/** @throws EngineError('model') where more are chosen than there are, or more there are than a workgroup ranks */
export function chosenExperts(
  chosen: number,
  countKey: string,
  count: number,
): { count: number; chosen: number } {
  if (count > MOST) throw badKey('config.json', countKey, count, `at most ${MOST}`)
  if (chosen > count) {
    throw badKey('config.json', 'num_experts_per_tok', chosen, `at most ${countKey}, ${count}`)
  }
  return { count, chosen }
}

/** Their logits lie in a workgroup's memory while they are ranked. */
const MOST = 1024
