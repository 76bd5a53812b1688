/** A schema as rows of a table: one for each member, those of members included, as `messages[].role`. */
import { nameOf, type Schema } from './document.ts'

export interface Field {
  readonly name: string
  readonly type: string
  /** Schemas that the type names. */
  readonly links: readonly string[]
  readonly isRequired: boolean
  /** Range, default and description. */
  readonly text: string
}

export function fieldsOf(schema: Schema, prefix = ''): Field[] {
  const { properties = {}, required = [] } = schema
  return Object.entries(properties).flatMap(([key, member]) => {
    const name = `${prefix}${key}`
    const field = {
      name,
      type: typeOf(member),
      links: linksOf(member),
      isRequired: required.includes(key),
      text: textOf(member),
    }
    return [field, ...membersOf(member, name)]
  })
}

function membersOf(schema: Schema, name: string): Field[] {
  if (schema.items) return membersOf(schema.items, `${name}[]`)
  const choices = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]
  return [...fieldsOf(schema, `${name}.`), ...choices.flatMap((choice) => membersOf(choice, name))]
}

/** In words: `string or null`, `array of ChatMessage`, `"stop" or "length"`. */
function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return nameOf(schema.$ref)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' or ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return [...new Set(choices.map(typeOf))].join(' or ')
  if (schema.allOf) return schema.allOf.map(typeOf).join(' and ')
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? [])
  if (types.length === 0) return 'anything'
  return types
    .map((type) => (type === 'array' && schema.items ? `array of ${typeOf(schema.items)}` : type))
    .join(' or ')
}

function linksOf(schema: Schema): string[] {
  if (schema.$ref !== undefined) return [nameOf(schema.$ref)]
  const parts = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]
  return [...parts, ...(schema.items ? [schema.items] : [])].flatMap(linksOf)
}

/** Numbers this large say "no limit". */
const LARGE = 2 ** 31 - 1

function textOf(schema: Schema): string {
  const low = bound('at least', schema.minimum) ?? bound('more than', schema.exclusiveMinimum)
  const high = bound('at most', schema.maximum) ?? bound('less than', schema.exclusiveMaximum)
  const facts = [
    low,
    high,
    schema.minItems === undefined ? null : `at least ${schema.minItems} items`,
    schema.maxItems === undefined ? null : `at most ${schema.maxItems} items`,
    schema.maxLength === undefined ? null : `at most ${schema.maxLength} characters`,
    schema.default === undefined ? null : `default ${JSON.stringify(schema.default)}`,
  ].filter((fact) => fact !== null)
  const range = facts.join(', ')
  const sentence = range === '' ? '' : `${range[0]?.toUpperCase()}${range.slice(1)}.`
  return [schema.description ?? '', sentence].filter(Boolean).join(' ')
}

const bound = (words: string, value: number | undefined): string | null =>
  value === undefined || Math.abs(value) >= LARGE ? null : `${words} ${value}`
