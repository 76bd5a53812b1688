/**
 * Reads the text and JSON files of a model folder for the tokenizer, telling "not there" (undefined) from
 * "there but unusable" (an error that names the file).
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TokenizerError } from './errors.ts'

export type JsonObject = Record<string, unknown>

/** True for a plain JSON object (not null, not an array). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The file's text, or undefined where there is no such file. Throws `TokenizerError('broken')` when unreadable. */
export async function readText(folder: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, name), 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new TokenizerError('broken', `${join(folder, name)} cannot be read (${code ?? cause}).`, {
      cause,
    })
  }
}

/** The file's JSON object, or undefined where there is no such file. */
export async function readObject(folder: string, name: string): Promise<JsonObject | undefined> {
  const text = await readText(folder, name)
  if (text === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new TokenizerError(
      'broken',
      `${join(folder, name)} is not valid JSON (${(cause as Error).message}); fetch the file again.`,
      { cause },
    )
  }
  if (isObject(value)) return value
  throw new TokenizerError(
    'broken',
    `${join(folder, name)} holds ${Array.isArray(value) ? 'an array' : typeof value}, expected a JSON object.`,
  )
}

/** The text of a special token in tokenizer_config.json: a string, or an object with `content`. */
export function tokenContent(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (isObject(value) && typeof value.content === 'string') return value.content
  return undefined
}
