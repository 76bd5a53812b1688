/**
 * Marks text that callers wrote, so that control tokens spelled out in it stay text after a chat template has mixed it
 * with the template's own. Ordinary text is not touched at all, so what the template does with it (trimming,
 * comparing, splitting) and how it merges with its surroundings stay exactly as in the reference.
 */

/** `guard` is undefined where nothing needed marking. */
export interface Guarded<T> {
  value: T
  guard: string | undefined
}

/**
 * A copy of `value` (JSON-like) in which a guard character stands before every place where text could become one of
 * `tokens`: a whole token, or an end that together with what follows (or a beginning that together with what
 * precedes) could make one. The tokenizer matches no control token across or right after a guard.
 *
 * The guard stands before the token's first character, not inside it, so that templates which look for a token's text
 * in a message (`'</think>' in content`) still find it.
 */
export function guardedStrings<T>(value: T, tokens: readonly string[]): Guarded<T> {
  const strings: string[] = []
  mapStrings(value, (text) => {
    strings.push(text)
    return text
  })
  if (!strings.some((text) => guardPlaces(text, tokens).length > 0)) {
    return { value, guard: undefined }
  }
  const guard = unusedCharacter(strings)
  const mark = (text: string) => {
    let out = ''
    let from = 0
    for (const at of guardPlaces(text, tokens)) {
      out += text.slice(from, at) + guard
      from = at
    }
    return out + text.slice(from)
  }
  return { value: mapStrings(value, mark), guard }
}

function guardPlaces(text: string, tokens: readonly string[]): number[] {
  const places = new Set<number>()
  for (const token of tokens) {
    if (token === '') continue
    for (let at = text.indexOf(token); at >= 0; at = text.indexOf(token, at + 1)) places.add(at)
    // A bare word (a role, a field's name) is left as it is: templates compare it, and tokens are not cut inside words.
    const most = /^\w*$/.test(text) ? 0 : Math.min(token.length - 1, text.length)
    for (let length = 1; length <= most; length++) {
      if (text.endsWith(token.slice(0, length))) places.add(text.length - length)
      // A single closing character (">") begins too many ordinary texts, and no template ends one short of a token.
      if (length > 1 && text.startsWith(token.slice(-length))) places.add(0)
    }
  }
  return [...places].sort((a, b) => a - b)
}

/** A noncharacter (never assigned, so never in a vocabulary or a template) that no string holds. */
function unusedCharacter(strings: readonly string[]): string {
  for (let code = 0xfdd0; code <= 0xfdef; code++) {
    const character = String.fromCharCode(code)
    if (!strings.some((text) => text.includes(character))) return character
  }
  // Every one is in use: text made of noncharacters carries no meaning that a private-use character would break.
  let code = 0xe000
  while (strings.some((text) => text.includes(String.fromCharCode(code)))) code += 1
  return String.fromCharCode(code)
}

function mapStrings<T>(value: T, change: (text: string) => string): T {
  // Names of fields that a template reads stay; tool parameters may be named anything.
  const changeKey = (key: string) => (/^\w+$/.test(key) ? key : change(key))
  const map = (each: unknown): unknown => {
    if (typeof each === 'string') return change(each)
    if (Array.isArray(each)) return each.map(map)
    if (typeof each !== 'object' || each === null) return each
    const entries = Object.entries(each)
    return Object.fromEntries(entries.map(([key, inner]) => [changeKey(key), map(inner)]))
  }
  return map(value) as T
}
