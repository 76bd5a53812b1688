/**
 * Reading a model's JSON with schemas: zod's findings become one `EngineError('model')` that names file, key, what was
 * found and what was expected. In these schemas a zod message is the expectation ("a positive integer"), no sentence.
 */
import { z } from 'zod'
import { EngineError } from '../errors.ts'
import { show } from '../weights/json.ts'

const COUNT = 'a positive integer'
/** 1, 2, 3, … */
export const positiveInteger = z.int(COUNT).positive(COUNT)

const INDEX = 'an integer from 0 on'
/** 0, 1, 2, … */
export const nonNegativeInteger = z.int(INDEX).nonnegative(INDEX)

const AMOUNT = 'a positive number'
/** Above zero, finite. */
export const positiveNumber = z.number(AMOUNT).positive(AMOUNT)

/** true or false; `absent` when the key is absent or null. */
export const flagOr = (absent: boolean) =>
  z
    .boolean('true or false')
    .nullish()
    .transform((value) => value ?? absent)

const ID = 'a token id, a list of them, or null'
/** One id, several, or none; always gives a list. */
export const tokenIds = z
  .union([z.int().nonnegative(), z.array(z.int().nonnegative())], ID)
  .nullish()
  .transform((value) => (typeof value === 'number' ? [value] : (value ?? [])))

/** A complaint about one key, in the words that all of them have. */
export function badKey(file: string, key: string, found: unknown, expected: string): EngineError {
  return new EngineError('model', `${file}: ${complaint(key, found, expected)}`)
}

function complaint(key: string, found: unknown, expected: string): string {
  return `"${key}" is ${show(found)}, expected ${expected}`
}

/**
 * Reads the keys a schema names out of parsed JSON; other keys are left alone.
 *
 * @param file name for messages, e.g. `config.json`
 * @param path keys that lead to `json` inside the file, for messages
 * @throws EngineError('model') listing every key that is wrong
 */
export function validate<T extends z.ZodType>(
  schema: T,
  json: unknown,
  file: string,
  path: readonly string[] = [],
): z.output<T> {
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const complaints = result.error.issues.map((issue) => {
    const key = [...path, ...issue.path.map(String)].join('.')
    return complaint(key, issue.path.reduce(member, json), issue.message)
  })
  throw new EngineError('model', `${file}: ${complaints.join('; ')}`)
}

function member(value: unknown, key: PropertyKey): unknown {
  const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, key)
  return isThere ? Reflect.get(value, key) : undefined
}
