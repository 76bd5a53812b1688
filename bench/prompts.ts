/** Prompts of random ids: no tokenizer is needed, and nothing depends on the text. */
import { Random } from '../kernels/kernel.ts'

/** The same ids in every run for one length and seed. */
export function promptOf(length: number, vocabularySize: number, seed = length): number[] {
  const random = new Random(seed)
  return Array.from({ length }, () => random.below(vocabularySize))
}

/** At and around the ends of pages, tiles and chunks. */
const LENGTHS = [1, 2, 7, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 80, 97, 113, 127, 128, 129, 150]

/** Prompts of many lengths that begin with parts of three texts: any of them may share any length with another. */
export function relatedPrompts(count: number, vocabularySize: number, seed: number): number[][] {
  const random = new Random(seed)
  const ids = (length: number): number[] =>
    Array.from({ length }, () => random.below(vocabularySize))
  const texts = [ids(150), ids(150), ids(150)]
  // Few prompts take lengths from the whole list, not its beginning.
  const stride = count < LENGTHS.length ? LENGTHS.length / count : 1
  return Array.from({ length: count }, (_, i) => {
    const length = LENGTHS[Math.floor((i + 1) * stride - 1) % LENGTHS.length] ?? 1
    const shared = i % 5 === 4 ? length : random.below(length + 1)
    return [...(texts[i % 3] ?? []).slice(0, shared), ...ids(length - shared)]
  })
}
