/** The fields of a request schema as its documentation has them: dotted, `[]` for members of arrays. */
import { z } from '@hono/zod-openapi'
import { SUPPORT } from '../server/contract/fields.ts'

export interface RequestField {
  /** For instance `messages[].content`. */
  readonly path: string
  readonly support: 'honoured' | 'dropped' | 'refused'
  /** Why it is not honoured. */
  readonly why: string
  readonly description: string
}

/** Every field, those inside objects and arrays after the one that holds them. */
export function fieldsOf(schema: unknown, prefix = ''): RequestField[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return fieldsOf(schema.unwrap(), prefix)
  }
  if (schema instanceof z.ZodArray) return fieldsOf(schema.element, `${prefix}[]`)
  if (schema instanceof z.ZodUnion) {
    return schema.options.flatMap((option) => fieldsOf(option, prefix))
  }
  if (!(schema instanceof z.ZodObject)) return []
  return Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([name, field]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`
    const { support = 'honoured', why = '' } = SUPPORT.get(field) ?? {}
    return [
      { path, support, why, description: field.description ?? '' },
      ...fieldsOf(field, path),
    ] as const
  })
}

/** A copy of a body with a value at a field's path; of arrays the first member is meant. */
export function withField(body: object, path: string, value: unknown): object {
  const copy = structuredClone(body) as Record<string, unknown>
  const keys = path.replaceAll('[]', '.0').split('.')
  let at = copy
  for (const key of keys.slice(0, -1)) {
    at[key] ??= {}
    at = at[key] as Record<string, unknown>
  }
  at[keys.at(-1) ?? ''] = value
  return copy
}
