/** Which ids end an answer, for the families' ways of saying it. */
import { expect, test } from 'vitest'
import { endIds } from './end-tokens.ts'

const tokenizer = (special: readonly string[], eosId?: number, plain: readonly string[] = []) => ({
  eosId,
  specialIds: new Set(special.keys()),
  idOf: (text: string) => {
    const id = [...special, ...plain].indexOf(text)
    return id < 0 ? undefined : id
  },
})
const writes = (text: string) => ({ mentions: (part: string) => text.includes(part) })

test('all that the files name, and the tokenizer’s own', () => {
  expect(endIds([7, 8], tokenizer(['</s>'], 0), null, 10)).toEqual([7, 8, 0])
  expect(endIds([7], tokenizer(['</s>'], 12), null, 10)).toEqual([7])
})

test('the end of a turn that the template writes, where none of them is one', () => {
  const gemma = tokenizer(['<eos>', '<end_of_turn>'], 0)
  const template = writes("{{ '<start_of_turn>' }}x{{ '<end_of_turn>' }}")
  expect(endIds([0], gemma, template, 10)).toEqual([0, 1])
  expect(endIds([0], gemma, null, 10)).toEqual([0])
  expect(endIds([0], gemma, writes('x'), 10)).toEqual([0])
  const llama = tokenizer(['<|end_of_text|>', '<|eom_id|>', '<|eot_id|>'], 0)
  expect(endIds([0, 2], llama, writes('<|eot_id|><|eom_id|>'), 10)).toEqual([0, 2])
  expect(endIds([0], llama, writes('<|eot_id|><|eom_id|>'), 10)).toEqual([0, 2, 1])
})

test('not text that only looks like one, nor what the model has no row for', () => {
  const template = writes('<|im_end|>')
  expect(endIds([], tokenizer([], undefined, ['<|im_end|>']), template, 10)).toEqual([])
  expect(endIds([], tokenizer(['a', '<|im_end|>']), template, 1)).toEqual([])
})

test('of harmony’s not the end of a message, after which the answer goes on', () => {
  const harmony = tokenizer(['<|end|>', '<|return|>', '<|call|>'])
  const template = writes('<|end|><|return|><|call|>')
  expect(endIds([1], harmony, template, 10)).toEqual([1])
  expect(endIds([], harmony, template, 10)).toEqual([1, 2])
  expect(endIds([], tokenizer(['<|end|>']), template, 10)).toEqual([0])
})
