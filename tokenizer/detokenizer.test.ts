/** The incremental decoder against decoding at once: by property, over both families of tokenizers. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Tokenizer as Library } from '@huggingface/tokenizers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeShared } from '../test/shared-folder.ts'
import { Detokenizer } from './detokenizer.ts'
import { byteLevelJson, sentencePieceJson } from './testing.ts'
import { Tokenizer } from './tokenizer.ts'

const families = {
  'byte-level': byteLevelJson(),
  sentencepiece: sentencePieceJson(),
}

const texts = fc.string({
  unit: fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constantFrom(...'abcho le\n', '😀', '👨‍👩‍👧', 'é', 'e\u0301', '日', '\ufeff'),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
  ),
  maxLength: 40,
})
const stops = fc.array(
  fc.string({ unit: fc.constantFrom(...'abo le\n', '😀', 'é'), minLength: 1, maxLength: 4 }),
  { maxLength: 4 },
)

/** The stop string that is complete first (of several, the longest), found without any automaton. */
function cut(text: string, stop: readonly string[]): { text: string; stopped: string | null } {
  for (let end = 1; end <= text.length; end++) {
    const found = stop
      .filter((each) => text.slice(0, end).endsWith(each))
      .sort((a, b) => b.length - a.length)[0]
    if (found !== undefined) return { text: text.slice(0, end - found.length), stopped: found }
  }
  return { text, stopped: null }
}

function run(tokenizer: Tokenizer, ids: readonly number[], stop: readonly string[] = []) {
  const detokenizer = new Detokenizer(tokenizer, { stop })
  const pieces = ids.map((id) => detokenizer.push(id))
  pieces.push(detokenizer.finish())
  return { pieces, text: pieces.join(''), stopped: detokenizer.stopped }
}

describe.each(Object.entries(families))('%s', (_, json) => {
  const tokenizer = new Tokenizer(json, {})
  const ids = fc.array(fc.nat({ max: tokenizer.vocabularySize - 1 }), { maxLength: 40 })

  it('gives encoded text back, whole characters at a time', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const { pieces, text: all } = run(tokenizer, tokenizer.encode(text))
        expect(all).toBe(text)
        for (const piece of pieces) expect(piece).not.toMatch(/\p{Surrogate}/u)
        expect(pieces.join('').includes('\ufffd')).toBe(text.includes('\ufffd'))
      }),
      { numRuns: 300 },
    )
  })

  it('equals one-shot decoding cut at the first stop string, for text and for any ids', () => {
    const anyIds = fc.oneof(
      ids,
      texts.map((text) => tokenizer.encode(text)),
    )
    fc.assert(
      fc.property(anyIds, stops, (list, stop) => {
        const { pieces, text, stopped } = run(tokenizer, list, stop)
        expect({ text, stopped }).toEqual(cut(tokenizer.decode(list), stop))
        for (const piece of pieces) expect(piece).not.toMatch(/\p{Surrogate}/u)
      }),
      { numRuns: 500 },
    )
  })

  it('never shows text that a stop string takes back', () => {
    fc.assert(
      fc.property(texts, stops, (text, stop) => {
        const list = tokenizer.encode(text)
        const { text: shown } = cut(tokenizer.decode(list), stop)
        const detokenizer = new Detokenizer(tokenizer, { stop })
        let seen = ''
        for (const id of list) {
          seen += detokenizer.push(id)
          expect(shown.startsWith(seen)).toBe(true)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('one-shot decoding', () => {
  it('equals the library (byte-level, any ids)', () => {
    const json = byteLevelJson()
    const tokenizer = new Tokenizer(json, {})
    const library = new Library(json, { clean_up_tokenization_spaces: false })
    const ids = fc.array(fc.nat({ max: tokenizer.vocabularySize - 1 }), { minLength: 1 })
    fc.assert(
      fc.property(ids, fc.boolean(), (list, skipSpecial) => {
        expect(tokenizer.decode(list, { skipSpecial })).toBe(
          library.decode(list, { skip_special_tokens: skipSpecial }),
        )
      }),
      { numRuns: 500 },
    )
  })
})

describeShared('on the real vocabulary', (shared) => {
  it('equals one-shot decoding, which equals the library', async () => {
    const folder = join(shared, 'models/smollm2-135m-instruct-4bit')
    const tokenizer = await Tokenizer.load(folder)
    const json = JSON.parse(await readFile(join(folder, 'tokenizer.json'), 'utf8'))
    const library = new Library(json, { clean_up_tokenization_spaces: false })
    const ids = fc.array(fc.nat({ max: 49_151 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(ids, stops, (list, stop) => {
        const whole = tokenizer.decode(list)
        expect(whole).toBe(library.decode(list, { skip_special_tokens: true }))
        const { text, stopped } = run(tokenizer, list, stop)
        expect({ text, stopped }).toEqual(cut(whole, stop))
      }),
      { numRuns: 200 },
    )
  })
})

describe('corner cases', () => {
  const tokenizer = new Tokenizer(byteLevelJson(), {})

  it('holds back a character until it is complete', () => {
    const detokenizer = new Detokenizer(tokenizer)
    const ids = tokenizer.encode('a😀b')
    const pieces = ids.map((id) => detokenizer.push(id))
    expect(pieces.filter((piece) => piece !== '')).toEqual(['a', '😀', 'b'])
  })

  it('shows U+FFFD at the end for a character that never came', () => {
    const [a = 0, lead = 0] = tokenizer.encode('a😀')
    const detokenizer = new Detokenizer(tokenizer)
    expect([detokenizer.push(a), detokenizer.push(lead)]).toEqual(['a', ''])
    expect(detokenizer.finish()).toBe('\ufffd')
  })

  it('takes overlapping, nested and repeated stop strings', () => {
    const ids = tokenizer.encode('xaabaabaaac')
    expect(run(tokenizer, ids, ['aabaaac'])).toMatchObject({ text: 'xaab', stopped: 'aabaaac' })
    expect(run(tokenizer, ids, ['baaac', 'aab'])).toMatchObject({ text: 'x', stopped: 'aab' })
    expect(run(tokenizer, ids, ['b', 'ab'])).toMatchObject({ text: 'xa', stopped: 'ab' })
    expect(run(tokenizer, ids, ['', '\ud83d'])).toMatchObject({ stopped: null })
  })

  it('gives nothing after a stop string, and leaves control tokens in when asked', () => {
    const detokenizer = new Detokenizer(tokenizer, { stop: ['b'], skipSpecial: false })
    const pieces = [0, ...tokenizer.encode('ab')].map((id) => detokenizer.push(id))
    expect(pieces.join('')).toBe('<|im_start|>a')
    expect(detokenizer.push(tokenizer.idOf('c') ?? 0)).toBe('')
    expect(detokenizer.finish()).toBe('')
  })
})
