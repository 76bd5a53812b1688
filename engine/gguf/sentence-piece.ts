/**
 * tokenizer.json of a SentencePiece vocabulary (Llama 2, Mistral, Phi-3, Gemma): byte-pair encoding with bytes to fall back
 * on. A GGUF has no merges but scores of tokens: a pair is merged the earlier, the better the score of what it makes.
 */
type Json = Record<string, unknown>

const SPACE = '▁'
const asSpace = { type: 'Replace', pattern: { String: SPACE }, content: ' ' }

export interface Pieces {
  readonly tokens: readonly string[]
  readonly scores: readonly number[]
  /** Texts begin with a space that nobody wrote. */
  readonly addsSpace: boolean
  readonly unknown: string | null
}

/** `model`, `normalizer`, `pre_tokenizer` and `decoder` of tokenizer.json. */
export function sentencePiece(pieces: Pieces, vocab: Readonly<Record<string, number>>): Json {
  const { addsSpace } = pieces
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: SPACE }
  const steps = [asSpace, { type: 'ByteFallback' }, { type: 'Fuse' }]
  return {
    normalizer: addsSpace
      ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: SPACE }, replace] }
      : replace,
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: addsSpace ? [...steps, { type: 'Strip', content: ' ', start: 1, stop: 0 }] : steps,
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: pieces.unknown,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab,
      merges: mergesOf(pieces),
    },
  }
}

interface Merge {
  readonly left: string
  readonly right: string
  readonly score: number
  readonly leftId: number
  readonly rightId: number
}

/** Every way to make a token of two, the best first; as transformers derives them of the same vocabulary. */
function mergesOf({ tokens, scores }: Pieces): [string, string][] {
  const ids = new Map<string, number>()
  for (const [id, token] of tokens.entries()) if (!ids.has(token)) ids.set(token, id)
  const merges: Merge[] = []
  for (const [id, token] of tokens.entries()) {
    if (ids.get(token) !== id) continue
    const characters = [...token]
    let left = ''
    const own: Merge[] = []
    for (const character of characters.slice(0, -1)) {
      left += character
      const right = token.slice(left.length)
      const leftId = ids.get(left)
      const rightId = ids.get(right)
      if (leftId === undefined || rightId === undefined) continue
      own.push({ left, right, score: scores[id] ?? 0, leftId, rightId })
    }
    own.sort((a, b) => a.leftId - b.leftId || a.rightId - b.rightId)
    for (const merge of own) merges.push(merge)
  }
  return merges
    .sort(
      (a, b) =>
        b.score - a.score || b.left.length - a.left.length || b.right.length - a.right.length,
    )
    .map(({ left, right }) => [left, right])
}
