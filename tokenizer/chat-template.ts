/**
 * A model's chat template: messages in, prompt out, with what `transformers` gives templates (special tokens, tools,
 * `raise_exception`, `strftime_now`). `encode` also keeps text that callers wrote from becoming control tokens, without
 * changing a single id of ordinary text: see `guardedStrings`.
 */

import { join } from 'node:path'
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja'
import { TokenizerError } from './errors.ts'
import { isObject, readText, tokenContent } from './files.ts'
import { guardedStrings } from './guard.ts'
import { strftime } from './strftime.ts'
import type { Tokenizer } from './tokenizer.ts'

type Program = ReturnType<typeof parse>

/** Names that every template may use. */
const CONSTANTS: Readonly<Record<string, unknown>> = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  range: (start: number, stop?: number, step = 1) => {
    const [from, to] = stop === undefined ? [0, start] : [start, stop]
    const length = Math.max(0, Math.ceil((to - from) / step))
    return Array.from({ length }, (_, i) => from + i * step)
  },
}

/** A message as templates read it; `tool_calls`, `name` and others pass through. */
export interface TemplateMessage {
  role: string
  content?: unknown
  [field: string]: unknown
}

export interface RenderOptions {
  /** Tool definitions (JSON schema), as the template expects them. */
  tools?: readonly unknown[]
  /** End with the opening of the assistant's turn. Default true. */
  addGenerationPrompt?: boolean
  /** Further variables of the template, such as `enable_thinking`. They are trusted. */
  variables?: Readonly<Record<string, unknown>>
  /** What `strftime_now` reads. Default: the clock. */
  now?: Date
}

/** A model folder's template (or templates: some have one for tools beside the default). */
export class ChatTemplate {
  readonly #tokenizer: Tokenizer
  readonly #named: ReadonlyMap<string, string>
  readonly #parsed = new Map<string, Program>()
  readonly #source: string

  constructor(tokenizer: Tokenizer, named: ReadonlyMap<string, string>, source: string) {
    this.#tokenizer = tokenizer
    this.#named = named
    this.#source = source
  }

  /**
   * Reads chat_template.jinja, else `chat_template` of tokenizer_config.json.
   * Throws `TokenizerError('missing')` where a folder has neither: its model is no chat model.
   */
  static async load(folder: string, tokenizer: Tokenizer): Promise<ChatTemplate> {
    const configured = tokenizer.config.chat_template
    const named = readNamed(configured)
    const file = await readText(folder, 'chat_template.jinja')
    if (file !== undefined) named.set('default', file)
    if (named.size > 0) {
      const name = file === undefined ? 'tokenizer_config.json' : 'chat_template.jinja'
      return new ChatTemplate(tokenizer, named, join(folder, name))
    }
    throw new TokenizerError(
      'missing',
      `The model in ${folder} has no chat template (no chat_template.jinja, and no chat_template in tokenizer_config.json): give it a plain prompt instead of messages, or add the file.`,
    )
  }

  /** The prompt as text. Throws `TokenizerError('template')` with the template's own words when it refuses. */
  render(messages: readonly TemplateMessage[], options: RenderOptions = {}): string {
    return this.#render(messages, options.tools, options)
  }

  /**
   * The prompt as ids. Equal to encoding `render`'s text, except that control tokens spelled out in messages and
   * tools stay text.
   */
  encode(messages: readonly TemplateMessage[], options: RenderOptions = {}): number[] {
    const tokens = [...this.#tokenizer.specialIds].flatMap(
      (id) => this.#tokenizer.tokenText(id) ?? [],
    )
    const { value, guard } = guardedStrings({ messages, tools: options.tools }, tokens)
    const text = this.#render(value.messages, value.tools, options)
    return this.#tokenizer.encodeGuarded(text, guard)
  }

  #render(
    messages: readonly TemplateMessage[],
    tools: readonly unknown[] | undefined,
    options: RenderOptions,
  ): string {
    const template = this.#template(tools !== undefined && tools.length > 0)
    try {
      return run(template, {
        ...CONSTANTS,
        ...this.#specialTokens(),
        ...options.variables,
        messages,
        tools: tools ?? null,
        add_generation_prompt: options.addGenerationPrompt ?? true,
        raise_exception: (message: unknown) => {
          throw new TokenizerError('template', `The chat template refuses: ${String(message)}`)
        },
        strftime_now: (format: unknown) => strftime(options.now ?? new Date(), String(format)),
      })
    } catch (cause) {
      if (cause instanceof TokenizerError) throw cause
      throw new TokenizerError(
        'template',
        `The chat template in ${this.#source} failed on these messages: ${(cause as Error).message}`,
        { cause },
      )
    }
  }

  #template(hasTools: boolean): Program {
    const wanted = hasTools && this.#named.has('tool_use') ? 'tool_use' : 'default'
    const text = this.#named.get(wanted)
    if (text === undefined) {
      const names = [...this.#named.keys()].join(', ')
      throw new TokenizerError(
        'missing',
        `${this.#source} has chat templates named ${names}, but none named default.`,
      )
    }
    let template = this.#parsed.get(wanted)
    if (template === undefined) {
      template = parseTemplate(text, this.#source)
      this.#parsed.set(wanted, template)
    }
    return template
  }

  #specialTokens(): Record<string, unknown> {
    const tokens: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(this.#tokenizer.config)) {
      const content = tokenContent(value)
      if (/^[a-z_]+_token$/.test(key) && content !== undefined) tokens[key] = content
    }
    return tokens
  }
}

/**
 * The library's own `Template` cannot be used: it declares `raise_exception` and `strftime_now` itself, so that
 * neither can be given here, and its `strftime_now` knows few fields and writes months in the machine's language.
 */
function run(program: Program, variables: Readonly<Record<string, unknown>>): string {
  const environment = new Environment()
  for (const [name, value] of Object.entries(variables)) environment.set(name, value)
  return String(new Interpreter(environment).run(program).value)
}

function parseTemplate(text: string, source: string): Program {
  try {
    return parse(tokenize(text, { lstrip_blocks: true, trim_blocks: true }))
  } catch (cause) {
    throw new TokenizerError(
      'template',
      `The chat template in ${source} cannot be parsed: ${(cause as Error).message}`,
      { cause },
    )
  }
}

function readNamed(configured: unknown): Map<string, string> {
  const named = new Map<string, string>()
  if (typeof configured === 'string') named.set('default', configured)
  for (const each of Array.isArray(configured) ? configured : []) {
    if (!isObject(each)) continue
    const { name, template } = each
    if (typeof name === 'string' && typeof template === 'string') named.set(name, template)
  }
  return named
}
