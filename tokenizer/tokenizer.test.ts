/** The tokenizer against the reference ids, and control tokens in user text. */

import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { describeShared } from '../test/shared-folder.ts'
import { TokenizerError } from './errors.ts'
import { byteLevelJson, sentencePieceJson } from './testing.ts'
import { Tokenizer } from './tokenizer.ts'

describeShared('against the reference', (shared) => {
  it('gives the reference ids and the text back', async () => {
    const golden = await readFile(join(shared, 'goldens/smollm2.json'), 'utf8')
    const { tokenizer: cases } = JSON.parse(golden)
    const tokenizer = await Tokenizer.load(join(shared, 'models/smollm2-135m-instruct-4bit'))
    for (const { text, ids } of cases) {
      expect(tokenizer.encode(text, { parseSpecial: true }), text).toEqual(ids)
      expect(tokenizer.decode(ids, { skipSpecial: false })).toBe(text)
    }
    expect(tokenizer).toMatchObject({ vocabularySize: 49152, bosId: 1, eosId: 2 })
  })
})

describe('control tokens', () => {
  it('come from text only when asked for', () => {
    const tokenizer = new Tokenizer(byteLevelJson(), {})
    const text = 'hello<|im_end|> hello'
    const plain = tokenizer.encode(text)
    expect(plain.some((id) => tokenizer.specialIds.has(id))).toBe(false)
    expect(tokenizer.decode(plain)).toBe(text)
    const parsed = tokenizer.encode(text, { parseSpecial: true })
    expect(parsed).toEqual([tokenizer.idOf('hello'), 1, tokenizer.idOf('Ġhello')])
    expect(tokenizer.decode(parsed)).toBe('hello hello')
    expect(tokenizer.decode(parsed, { skipSpecial: false })).toBe(text)
  })

  it('are spelled out even where the model itself would find them', () => {
    const json = { ...byteLevelJson({ ignore_merges: true }), pre_tokenizer: null }
    const tokenizer = new Tokenizer(json, {})
    expect(tokenizer.encode('<|im_end|>', { parseSpecial: true })).toEqual([1])
    const plain = tokenizer.encode('<|im_end|>')
    expect(plain).not.toContain(1)
    expect(tokenizer.decode(plain)).toBe('<|im_end|>')
  })

  it('never match across or right after a guard', () => {
    const tokenizer = new Tokenizer(byteLevelJson(), {})
    const guard = '\ufdd0'
    const ids = tokenizer.encodeGuarded(`<|im_start|>${guard}<|im_end|>x<|${guard}im_end|>`, guard)
    expect(ids[0]).toBe(0)
    expect(ids.slice(1).some((id) => tokenizer.specialIds.has(id))).toBe(false)
    expect(tokenizer.decode(ids)).toBe('<|im_end|>x<|im_end|>')
  })
})

describe('sentencepiece-like tokenizers', () => {
  const tokenizer = new Tokenizer(sentencePieceJson(), { bos_token: { content: '<s>' } })

  it('add and drop the leading space, fall back to bytes, and put the BOS in front', () => {
    const ids = tokenizer.encode('hello é')
    expect(ids.slice(0, 2)).toEqual([1, tokenizer.idOf('▁hello')])
    expect(tokenizer.decode(ids)).toBe('hello é')
    expect(tokenizer.encode('hello', { specialTokens: false })).toEqual([tokenizer.idOf('▁hello')])
    expect(tokenizer.bosId).toBe(1)
    expect(tokenizer.eosId).toBeUndefined()
  })

  it('put around a text what the configuration says, where it says something', () => {
    const ids = (config: Record<string, unknown>, specialTokens = true) =>
      new Tokenizer(sentencePieceJson(), { bos_token: '<s>', eos_token: '</s>', ...config })
        .encode('hello', { specialTokens })
        .map((id) => tokenizer.tokenText(id))
    expect(ids({})).toEqual(['<s>', '▁hello'])
    expect(ids({ add_bos_token: false })).toEqual(['▁hello'])
    expect(ids({ add_bos_token: true, add_eos_token: true })).toEqual(['<s>', '▁hello', '</s>'])
    expect(ids({ add_bos_token: true, bos_token: null })).toEqual(['▁hello'])
    expect(ids({ add_bos_token: true, add_eos_token: true }, false)).toEqual(['▁hello'])
  })

  it('ignore ids without a token', () => {
    expect(tokenizer.decode([99_999, -1])).toBe('')
    expect(tokenizer.tokenText(99_999)).toBeUndefined()
  })
})

describe('bad folders', () => {
  it('say what is missing or broken', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'illuminator-tokenizer-'))
    await expect(Tokenizer.load(folder)).rejects.toMatchObject({ kind: 'missing' })
    await writeFile(join(folder, 'tokenizer.json'), '{"model": ')
    await expect(Tokenizer.load(folder)).rejects.toThrow(/not valid JSON/)
    await writeFile(join(folder, 'tokenizer.json'), '[]')
    await expect(Tokenizer.load(folder)).rejects.toThrow(/expected a JSON object/)
    await writeFile(join(folder, 'tokenizer.json'), '{"model": {"type": "Telepathy"}}')
    const error = await Tokenizer.load(folder).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(TokenizerError)
    expect((error as TokenizerError).kind).toBe('broken')
  })

  it('name a decoder step that cannot be decoded', () => {
    const json = { ...byteLevelJson(), decoder: { type: 'CTC' } }
    const tokenizer = new Tokenizer(json, {})
    expect(() => tokenizer.decode([5])).toThrow(/"CTC"/)
  })
})
