/**
 * A model's chat template: messages in, prompt out, with what `transformers` gives templates (special tokens, tools,
 * `raise_exception`, `strftime_now`). `encode` also keeps text that callers wrote from becoming control tokens, without
 * changing a single id of ordinary text: see `guardedStrings`.
 */

import { TokenizerError } from './errors.ts'
import { isObject, tokenContent } from './files.ts'
import { guardedStrings } from './guard.ts'
import { type Node, parseJinja, runJinja } from './jinja.ts'
import { strftime } from './strftime.ts'
import { readTemplates } from './template-sources.ts'
import type { Tokenizer } from './tokenizer.ts'

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
  /** Further variables of the template, such as `enable_thinking` or `documents`. */
  variables?: Readonly<Record<string, unknown>>
  /** What `strftime_now` reads. Default: the clock. */
  now?: Date
}

/** A model folder's template (or templates: some have one for tools beside the default). */
export class ChatTemplate {
  readonly #tokenizer: Tokenizer
  readonly #named: ReadonlyMap<string, string>
  readonly #parsed = new Map<string, Node>()
  readonly #source: string

  constructor(tokenizer: Tokenizer, named: ReadonlyMap<string, string>, source: string) {
    this.#tokenizer = tokenizer
    this.#named = named
    this.#source = source
  }

  /**
   * The templates of a folder: see `readTemplates` for where they may stand.
   * @param file a template to use instead of the folder's own, for instance for a model that has none
   * Throws `TokenizerError('missing')` where there is none: the model is no chat model.
   */
  static async load(folder: string, tokenizer: Tokenizer, file?: string): Promise<ChatTemplate> {
    const { named, source } = await readTemplates(folder, tokenizer.config, file)
    return new ChatTemplate(tokenizer, named, source)
  }

  /** Whether a template spells `text` out, as a template does that writes a control token. */
  mentions(text: string): boolean {
    return [...this.#named.values()].some((template) => template.includes(text))
  }

  /** The prompt as text. Throws `TokenizerError('template')` with the template's own words when it refuses. */
  render(messages: readonly TemplateMessage[], options: RenderOptions = {}): string {
    return this.#render(messages, options.tools, options)
  }

  /**
   * The prompt as ids. Equal to encoding `render`'s text, except that control tokens spelled out in messages, tools and
   * variables stay text.
   */
  encode(messages: readonly TemplateMessage[], options: RenderOptions = {}): number[] {
    const tokens = [...this.#tokenizer.specialIds].flatMap(
      (id) => this.#tokenizer.tokenText(id) ?? [],
    )
    const { tools, variables } = options
    const { value, guard } = guardedStrings({ messages, tools, variables }, tokens)
    const text = this.#render(value.messages, value.tools, options, value.variables)
    return this.#tokenizer.encodeGuarded(text, guard)
  }

  #render(
    messages: readonly TemplateMessage[],
    tools: readonly unknown[] | undefined,
    options: RenderOptions,
    variables = options.variables ?? {},
  ): string {
    const template = this.#template(tools !== undefined && tools.length > 0)
    try {
      return runJinja(template, {
        ...CONSTANTS,
        ...this.#specialTokens(),
        ...checkVariables(variables),
        messages: messages.map(withReasoning),
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

  #template(hasTools: boolean): Node {
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
    const { config } = this.#tokenizer
    // Those beyond the usual ones stand by themselves in newer files.
    const more = isObject(config.extra_special_tokens) ? config.extra_special_tokens : {}
    for (const [key, value] of Object.entries({ ...more, ...config })) {
      const content = tokenContent(value)
      if (/^\w+_token$/.test(key) && content !== undefined) tokens[key] = content
    }
    return tokens
  }
}

/** What every template gets, and no variable may be named. */
const OWN = [
  ...Object.keys(CONSTANTS),
  ...['messages', 'tools', 'add_generation_prompt', 'raise_exception', 'strftime_now', 'namespace'],
]

/** Throws `TokenizerError('template')` for a name that has a meaning already. */
function checkVariables(variables: Readonly<Record<string, unknown>>) {
  const own = Object.keys(variables).find((name) => OWN.includes(name))
  if (own === undefined) return variables
  throw new TokenizerError(
    'template',
    `The template variable ${own} cannot be given: every chat template gets its own.`,
  )
}

const REASONING = ['reasoning_content', 'thinking', 'reasoning'] as const

/** Templates call an answer's reasoning by one name or another: as transformers does, all of them get it. */
function withReasoning(message: TemplateMessage): TemplateMessage {
  const name = REASONING.find((key) => message[key] !== undefined && message[key] !== null)
  if (name === undefined) return message
  const reasoning = message[name]
  return { thinking: reasoning, ...message, reasoning_content: reasoning }
}

function parseTemplate(text: string, source: string): Node {
  try {
    return parseJinja(text)
  } catch (cause) {
    throw new TokenizerError(
      'template',
      `The chat template in ${source} cannot be parsed: ${(cause as Error).message}`,
      { cause },
    )
  }
}
