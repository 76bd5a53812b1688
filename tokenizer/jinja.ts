/**
 * Chat templates as Python's Jinja runs them, over `@huggingface/jinja`: what is written out or filtered as text is
 * written as Python writes it. The library leaves `None` out, and refuses text filters on what is no text.
 */

import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja'

/** The library's declarations cannot be resolved under this project's settings; these are the parts used. */
export interface Node {
  type: string
}

interface Value {
  type: string
  value: unknown
}

interface Variables {
  set(name: string, value: unknown): void
}

interface Running {
  run(program: Node): Value
  evaluate(node: Node | undefined, environment: Variables): Value
}

const LibraryInterpreter = Interpreter as unknown as new (environment: Variables) => Running

/** Nodes that write nothing by themselves. Text between tags is a `StringLiteral`, and needs no conversion. */
const WRITTEN_AS_THEY_ARE = new Set(
  'Program If For Break Continue Set Macro Comment CallStatement FilterStatement StringLiteral'.split(
    ' ',
  ),
)
/** Members of nodes that hold what a block writes. */
const BLOCKS = ['body', 'alternate', 'defaultBlock'] as const
/** Filters that turn their operand into text first. */
const TEXT_FILTERS = new Set('string trim upper lower title capitalize replace indent'.split(' '))

/** Throws the library's own errors. Block tags take their own line with them, as transformers sets it. */
export function parseJinja(text: string): Node {
  const program: Node = parse(tokenize(text, { lstrip_blocks: true, trim_blocks: true }))
  writeAsText(program)
  return program
}

/**
 * The library's own `Template` cannot be used: it declares `raise_exception` and `strftime_now` itself, so that
 * neither can be given here, and its `strftime_now` knows few fields and writes months in the machine's language.
 */
export function runJinja(program: Node, variables: Readonly<Record<string, unknown>>): string {
  const environment: Variables = new Environment()
  for (const [name, value] of Object.entries(variables)) environment.set(name, value)
  return String(new PythonInterpreter(environment).run(program).value)
}

/** Puts the `string` filter over each expression that a block writes. */
function writeAsText(node: Node): void {
  const members = node as unknown as Record<string, unknown>
  for (const key of BLOCKS) {
    const block = members[key]
    if (!Array.isArray(block)) continue
    block.forEach((each: Node, at) => {
      if (WRITTEN_AS_THEY_ARE.has(each.type)) writeAsText(each)
      else block[at] = { type: 'FilterExpression', operand: each, filter: identifier('string') }
    })
  }
}

const identifier = (value: string): Node => ({ type: 'Identifier', value }) as Node
const literal = (value: string): Node => ({ type: 'StringLiteral', value }) as Node

class PythonInterpreter extends LibraryInterpreter {
  override evaluate(node: Node | undefined, environment: Variables): Value {
    if (node?.type === 'FilterExpression') return this.#filtered(node, environment)
    if (node?.type === 'BinaryExpression') return this.#binary(node, environment)
    return super.evaluate(node, environment)
  }

  #filtered(node: Node, environment: Variables): Value {
    const { operand, filter } = node as Node & { operand: Node; filter: Node }
    const name = nameOf(filter)
    if (!TEXT_FILTERS.has(name)) return super.evaluate(node, environment)
    const value = this.evaluate(operand, environment)
    const text = super.evaluate(literal(pythonText(value)), environment)
    if (name === 'string') return text
    const written = { type: 'FilterExpression', operand: literal(String(text.value)), filter }
    return super.evaluate(written as Node, environment)
  }

  /** `a ~ b`, and `text * times`, which the library does not know. */
  #binary(node: Node, environment: Variables): Value {
    const { left, right, operator } = node as Node & {
      left: Node
      right: Node
      operator: { value: string }
    }
    if (operator.value === '~') {
      const texts = [left, right].map((each) => pythonText(this.evaluate(each, environment)))
      return super.evaluate(literal(texts.join('')), environment)
    }
    if (operator.value !== '*') return super.evaluate(node, environment)
    const [text, times] = [left, right].map((each) => this.evaluate(each, environment).value)
    if (typeof text !== 'string' || typeof times !== 'number') {
      return super.evaluate(node, environment)
    }
    return super.evaluate(literal(text.repeat(Math.max(0, times))), environment)
  }
}

/** Of `| name` and of `| name(arguments)`. */
function nameOf(filter: Node): string {
  const { value, callee } = filter as Node & { value?: string; callee?: { value?: string } }
  return value ?? callee?.value ?? ''
}

/** Python's `str`. */
function pythonText(value: Value): string {
  return value.type === 'StringValue' ? String(value.value) : pythonForm(value)
}

/** Python's `repr`, which its lists and dictionaries write of what they hold. */
function pythonForm(value: Value): string {
  const held: unknown = value.value
  switch (value.type) {
    case 'NullValue':
      return 'None'
    case 'UndefinedValue':
      return ''
    case 'BooleanValue':
      return held ? 'True' : 'False'
    case 'FloatValue':
      return pythonFloat(held as number)
    case 'StringValue':
      return pythonQuoted(held as string)
    case 'ArrayValue':
      return `[${(held as Value[]).map(pythonForm).join(', ')}]`
    case 'ObjectValue': {
      const entries = [...(held as Map<string, Value>)]
      return `{${entries.map(([key, each]) => `${pythonQuoted(key)}: ${pythonForm(each)}`).join(', ')}}`
    }
    default:
      return String(value)
  }
}

/** Exponents from 1e16 on and below 1e-4, of two digits; never without a point otherwise. */
function pythonFloat(value: number): string {
  const [digits = '', exponent = ''] = value.toExponential().split('e')
  const power = Number(exponent)
  if (value === 0 || (power >= -4 && power < 16)) {
    const text =
      power < 0 ? value.toFixed(digits.replace(/\D/g, '').length - 1 - power) : String(value)
    return Number.isInteger(value) ? `${text}.0` : text
  }
  const size = String(Math.abs(power)).padStart(2, '0')
  return `${digits}e${power < 0 ? '-' : '+'}${size}`
}

function pythonQuoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll(quote, `\\${quote}`)
    .replace(/\p{Cc}/gu, (character) => {
      const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character]
      return short ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
    })
  return quote + escaped + quote
}
