/** Prompts of random ids: no tokenizer is needed, and nothing depends on the text. */
import { Random } from '../kernels/kernel.ts'

/** The same ids in every run for one length and seed. */
export function promptOf(length: number, vocabularySize: number, seed = length): number[] {
  const random = new Random(seed)
  return Array.from({ length }, () => random.below(vocabularySize))
}
