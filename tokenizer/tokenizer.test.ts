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

describe('added tokens', () => {
  const flags = {
    special: true,
    normalized: false,
    single_word: false,
    lstrip: false,
    rstrip: false,
  }
  const json = byteLevelJson()
  const added = (changes: Record<string, object>) =>
    new Tokenizer(
      {
        ...json,
        added_tokens: Object.entries(changes).map(([content, more], at) => ({
          ...{ id: 300 + at, content, ...flags, ...more },
        })),
      },
      {},
    )
  const parts = (tokenizer: Tokenizer, text: string) =>
    tokenizer.encode(text, { parseSpecial: true }).map((id) => tokenizer.tokenText(id))

  it('take white space of Unicode up, which may itself be a token', () => {
    const strips = added({ '<L>': { lstrip: true }, '<R>': { rstrip: true }, '\n\n': {} })
    expect(parts(strips, 'a \u0085<L> b<R>\u3000a')).toEqual(['a', '<L>', 'Ġ', 'b', '<R>', 'a'])
    expect(parts(strips, 'a<R>\n\n b')).toEqual(['a', '<R>', '\n\n', 'Ġ', 'b'])
    expect(parts(strips, '<R>\ufeff')).toEqual(['<R>', 'ï', '»', '¿'])
  })

  it('are whole words as the reference sees them', () => {
    const word = added({ word: { single_word: true } })
    expect(parts(word, 'word')).toEqual(['word'])
    for (const text of ['words', 'word_', 'word\u200d', '𝒜word']) {
      expect(parts(word, text), text).not.toContain('word')
    }
    expect(parts(word, '😀word²')).toContain('word')
  })

  it('of the normalized kind give way to the others', () => {
    const both = added({ '<L>': { lstrip: true }, '  ': { normalized: true, special: false } })
    expect(parts(both, 'a  b  <L>')).toEqual(['a', '  ', 'b', '<L>'])
  })
})

it('Unigram falls back to bytes where it is to', () => {
  const json = sentencePieceJson()
  const vocab = Object.keys((json.model as { vocab: object }).vocab).map((token) => [token, -1])
  const model = { type: 'Unigram', unk_id: 0, byte_fallback: true, vocab }
  const tokenizer = new Tokenizer({ ...json, model }, {})
  const ids = tokenizer.encode('hello é', { specialTokens: false })
  expect(ids.map((id) => tokenizer.tokenText(id))).toEqual(['▁hello', '▁', '<0xC3>', '<0xA9>'])
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
