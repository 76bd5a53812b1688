/** The public object: a model on a GPU. Text enters and leaves here and nowhere else; below, everything is ids. */
import { Detokenizer, TokenizerError } from '../tokenizer/index.ts'
import type {
  ChatMessage,
  ChatOptions,
  EngineStats,
  GenerateOptions,
  Generation,
  LoadOptions,
  ModelInfo,
} from './api.ts'
import { ChoiceStream } from './choice.ts'
import { defaultsOf } from './defaults.ts'
import { EngineError } from './errors.ts'
import { checkIds, checkPrompt } from './ids.ts'
import type { DeviceTestOptions } from './load-model.ts'
import { type LogitsResult, scoreIds } from './logits.ts'
import { requestsOf } from './requests.ts'
import { checkParameters } from './sampling/parameters.ts'
import { TextGeneration } from './text-generation.ts'
import { answerEnds, chatIds, checkTemplateFile, loadText, type TextParts } from './text-parts.ts'
import { HostSide } from './worker/host-side.ts'

export class Engine {
  readonly #host: HostSide
  readonly #text: TextParts | TokenizerError
  /** Ids that end an answer. */
  readonly #ends: readonly number[]
  #closing: Promise<void> | null = null

  private constructor(host: HostSide, text: TextParts | TokenizerError) {
    this.#host = host
    this.#text = text
    const { eosIds, info } = host.facts
    this.#ends = answerEnds(text, eosIds, info.vocabularySize)
  }

  /**
   * Loads a model: a folder, or an id that is found in the models folder or on the hub. Without one: SmolLM2-135M-Instruct.
   * The GPU works in a worker thread of its own. A folder without a tokenizer loads too; only text is refused then.
   * Throws EngineError.
   */
  static async load(
    model?: string,
    options: LoadOptions & { device?: DeviceTestOptions } = {},
  ): Promise<Engine> {
    await checkTemplateFile(options.chatTemplate)
    const { chatTemplate } = options
    const read = (folder: string) => loadText(folder, chatTemplate)
    const [host, text] = await HostSide.load(model, options, read)
    try {
      return new Engine(host, text)
    } catch (error) {
      await host.close()
      throw error
    }
  }

  get info(): ModelInfo {
    return this.#host.facts.info
  }

  /** What the model's `generation_config.json` asks for. */
  get defaults(): GenerateOptions {
    return defaultsOf(this.#host.facts.generationConfig)
  }

  /** As of the last step. */
  get stats(): EngineStats {
    return this.#host.stats
  }

  /** Continues a text or ids. Work begins with the first `next()` or `result()`. Throws EngineError. */
  generate(prompt: string | readonly number[], options: GenerateOptions = {}): Generation {
    this.#check()
    const ids = typeof prompt === 'string' ? this.#encode(prompt) : [...prompt]
    return this.#generate(ids, options)
  }

  /**
   * Answers a conversation through the model's own chat template. Control tokens spelled out in messages, tools and
   * variables stay text. A call of a tool comes as the text in which the model writes it. Throws EngineError.
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): Generation {
    this.#check()
    const text = this.#textParts()
    const ids = this.#told('messages', () => chatIds(text, messages, options))
    return this.#generate(ids, options)
  }

  /** Ids of a text. `specialTokens`: with what the model expects at its ends. Default true. */
  tokenize(text: string, options: { specialTokens?: boolean } = {}): number[] {
    const { tokenizer } = this.#textParts()
    return tokenizer.encode(text, { specialTokens: options.specialTokens ?? true })
  }

  /** Text of ids, special tokens included. */
  detokenize(ids: readonly number[]): string {
    checkIds(ids, this.info.vocabularySize, 'tokens')
    return this.#textParts().tokenizer.decode([...ids], { skipSpecial: false })
  }

  /**
   * What a token adds to an answer's text: bytes, which need not be whole characters; null for one that adds nothing,
   * such as a control token. `first`: the answer begins with it.
   */
  tokenBytes(id: number, first = false): Uint8Array | null {
    return this.#textParts().tokenizer.bytesOf(id, first)
  }

  /** Logits after the last id (or after all), and a greedy continuation. Needs no tokenizer. Throws EngineError. */
  async logits(
    ids: readonly number[],
    options: { all?: boolean; greedy?: number } = {},
  ): Promise<LogitsResult> {
    this.#check()
    checkPrompt(ids, this.info.vocabularySize)
    const context = this.info.contextLength
    const { greedy = 0 } = options
    if (!Number.isInteger(greedy) || greedy < 0) {
      const message = `greedy must be a whole number of at least 0; it is ${greedy}.`
      throw new EngineError('bad_request', message, { param: 'greedy' })
    }
    if (ids.length + greedy > context) throw this.#tooLong(ids.length)
    return scoreIds(this.#host, ids, options)
  }

  /** Ends every request, frees the GPU and its thread; afterwards the process can exit by itself. */
  close(): Promise<void> {
    // Whoever closes again waits for the same end.
    this.#closing ??= this.#host.close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #generate(ids: readonly number[], options: GenerateOptions): Generation {
    const { drafts } = this.#host.facts
    const { vocabularySize, contextLength } = this.info
    const parameters = checkParameters(options, vocabularySize, drafts)
    checkPrompt(ids, vocabularySize)
    const room = contextLength - ids.length
    if (room < 1) throw this.#tooLong(ids.length)
    const choices = parameters.sampling.map(
      ({ logprobs }, index) =>
        new ChoiceStream(index, this.#detokenizer(parameters.stop), logprobs !== null),
    )
    const { signal } = options
    const { timeout } = parameters
    const maxTokens = Math.min(parameters.maxTokens ?? room, room)
    const host = requestsOf(this.#host, ids, parameters, maxTokens, this.#ends)
    const mostTokens = maxTokens * choices.length
    const promptTokens = ids.length
    return new TextGeneration(host, choices, { promptTokens, mostTokens, signal, timeout })
  }

  #detokenizer(stop: readonly string[]): Detokenizer | null {
    if (this.#text instanceof TokenizerError) {
      if (stop.length > 0) throw new EngineError('model', this.#text.message, { cause: this.#text })
      return null
    }
    return new Detokenizer(this.#text.tokenizer, { stop })
  }

  #encode(prompt: string): number[] {
    if (prompt === '') {
      throw new EngineError('bad_request', 'prompt is empty; send at least one character.', {
        param: 'prompt',
      })
    }
    const { tokenizer } = this.#textParts()
    return this.#told('prompt', () => tokenizer.encode(prompt))
  }

  #told<T>(param: string, work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof TokenizerError)) throw error
      throw new EngineError('bad_request', error.message, { cause: error, param })
    }
  }

  #textParts(): TextParts {
    if (!(this.#text instanceof TokenizerError)) return this.#text
    throw new EngineError('model', this.#text.message, { cause: this.#text })
  }

  #tooLong(tokens: number): EngineError {
    const message =
      `The prompt has ${tokens} tokens and the context length is ${this.info.contextLength}: ` +
      'shorten the prompt, ask for fewer tokens, or load the model with a longer context.'
    return new EngineError('context_length', message, { param: 'prompt' })
  }

  #check(): void {
    if (this.#closing) throw new EngineError('closed', 'The engine was closed.')
  }
}
