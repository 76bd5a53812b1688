/**
 * JSON from files we did not write: types, a reader with a size cap, and a walk over the text that finds what
 * `JSON.parse` hides (duplicate keys) or pays dearly for (deep nesting, millions of values) before anything is built.
 */
import { isUtf8 } from 'node:buffer'
import { readFile, stat } from 'node:fs/promises'
import { EngineError } from '../errors.ts'

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [key: string]: JsonValue
}

/** Nesting that no header, index or config comes near; each level costs a frame here and objects later. */
const MAX_DEPTH = 64
/** Values in one document. A tensor of a header takes about five: room for 200,000 in a file. */
const MAX_VALUES = 1_000_000

/** True for an object that is neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value as an error message shows it: one line, never longer than about 80 characters, whatever it holds. */
export function show(value: unknown): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  }
  if (Array.isArray(value)) {
    const shown = value.slice(0, 6).map((item) => (isNested(item) ? '…' : show(item).slice(0, 24)))
    return `[${shown.join(', ')}${value.length > 6 ? ', …' : ''}]`
  }
  return isJsonObject(value) ? 'an object' : String(value)
}

const isNested = (value: unknown) => typeof value === 'object' && value !== null

/** Index of the quote that ends the string begun at `start`, or −1. Backslash runs are counted once each: linear. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return end
  }
  return -1
}

/** The key that a quoted token spells, so that `"a"` and `"\u0061"` count as the same one. */
function keyOf(token: string): string {
  if (!token.includes('\\')) return token.slice(1, -1)
  try {
    return String(JSON.parse(token))
  } catch {
    return token // not JSON: JSON.parse of the whole text will say so
  }
}

/**
 * Walks JSON text in one linear pass and builds nothing but one set of keys per open object.
 *
 * @returns what is wrong (duplicate key, too deep, too many values), or null. Text that is not JSON at all may also
 *   give null: parsing it comes next and words that better.
 */
export function structuralFault(text: string): string | null {
  const frames: (Set<string> | null)[] = [] // a set of keys for an object, null for an array
  let keyNext = false
  let values = 0
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case '"': {
        const end = stringEnd(text, i)
        if (end < 0) return null
        const keys = frames.at(-1)
        if (keyNext && keys) {
          const key = keyOf(text.slice(i, end + 1))
          if (keys.has(key)) return `the key ${show(key)} appears twice in one object`
          keys.add(key)
        }
        keyNext = false
        i = end
        break
      }
      case '{':
      case '[':
        keyNext = text[i] === '{'
        frames.push(keyNext ? new Set() : null)
        if (frames.length > MAX_DEPTH) return `nested more than ${MAX_DEPTH} levels deep`
        break
      case '}':
      case ']':
        frames.pop()
        keyNext = false
        break
      case ',':
        keyNext = Boolean(frames.at(-1))
        if (++values > MAX_VALUES) return `more than ${MAX_VALUES} values`
        break
    }
  }
  return null
}

/** A short reason out of whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/**
 * Reads a JSON file that must hold one object.
 *
 * @param maxBytes files above this are refused unread
 * @throws EngineError('model') naming the file: missing, not a file, too large, not UTF-8, not JSON, duplicate keys,
 *   not an object
 */
export async function readJsonObject(path: string, maxBytes: number): Promise<JsonObject> {
  const broken = (reason: string, cause?: unknown) =>
    new EngineError('model', `${path}: ${reason}. Fetch the file again.`, { cause })
  let value: unknown
  try {
    const found = await stat(path)
    if (!found.isFile()) throw broken('not a regular file')
    if (found.size > maxBytes) {
      throw broken(`is ${found.size} bytes, expected at most ${maxBytes}`)
    }
    const bytes = await readFile(path)
    if (!isUtf8(bytes)) throw broken('not valid UTF-8')
    const text = new TextDecoder().decode(bytes) // drops a byte order mark
    const fault = structuralFault(text)
    if (fault !== null) throw broken(fault)
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof EngineError) throw error
    if (error instanceof SyntaxError) throw broken(`not valid JSON (${error.message})`, error)
    throw broken(`cannot be read (${reasonOf(error)})`, error)
  }
  if (!isJsonObject(value)) throw broken(`holds ${show(value)}, expected a JSON object`)
  return value
}
