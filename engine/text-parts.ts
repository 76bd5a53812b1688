/** What turns text into ids and back for a loaded model, read from its folder. */
import { access } from 'node:fs/promises'
import { ChatTemplate, Tokenizer, TokenizerError } from '../tokenizer/index.ts'
import type { ChatMessage, ChatOptions } from './api.ts'
import { endIds } from './end-tokens.ts'
import { EngineError } from './errors.ts'

export interface TextParts {
  readonly tokenizer: Tokenizer
  readonly template: ChatTemplate | TokenizerError
}

/** Throws EngineError('bad_request') before anything is loaded, for a file that would be found missing minutes later. */
export async function checkTemplateFile(file: string | undefined): Promise<void> {
  if (file === undefined) return
  await access(file).catch((cause: NodeJS.ErrnoException) => {
    const message = `The chat template ${file} cannot be read (${cause.code}).`
    throw new EngineError('bad_request', message, { param: 'chatTemplate', cause })
  })
}

/** Tokenizer and chat template of a folder; a folder without them is no error until text is asked for. */
export async function loadText(
  folder: string,
  templateFile: string | undefined,
): Promise<TextParts | TokenizerError> {
  let tokenizer: Tokenizer
  try {
    tokenizer = await Tokenizer.load(folder)
  } catch (error) {
    if (error instanceof TokenizerError && error.kind === 'missing') return error
    const message = error instanceof Error ? error.message : String(error)
    throw new EngineError('model', message, { cause: error })
  }
  try {
    return { tokenizer, template: await ChatTemplate.load(folder, tokenizer, templateFile) }
  } catch (error) {
    if (error instanceof TokenizerError) return { tokenizer, template: error }
    throw error
  }
}

/** Ids that end an answer; without a tokenizer those that the configurations name. */
export function answerEnds(
  text: TextParts | TokenizerError,
  declared: readonly number[],
  vocabularySize: number,
): readonly number[] {
  if (text instanceof TokenizerError) return declared
  const template = text.template instanceof TokenizerError ? null : text.template
  return endIds(declared, text.tokenizer, template, vocabularySize)
}

/**
 * The ids of a conversation.
 * @throws EngineError 'model' without a template; 'bad_request' for messages that it refuses. TokenizerError from it
 */
export function chatIds(
  { template }: TextParts,
  messages: readonly ChatMessage[],
  { tools, templateVariables }: ChatOptions,
): number[] {
  if (template instanceof TokenizerError) {
    throw new EngineError('model', template.message, { cause: template })
  }
  if (messages.length === 0) {
    throw new EngineError('bad_request', 'messages is empty; send at least one.', {
      param: 'messages',
    })
  }
  return template.encode(messages.map(templateMessage), {
    ...(tools === undefined ? {} : { tools }),
    ...(templateVariables === undefined ? {} : { variables: templateVariables }),
  })
}

/** Arguments of calls are text on the wire, and an object for templates, which write them in the model's own form. */
function templateMessage({ tool_calls: calls, ...message }: ChatMessage, index: number) {
  if (calls === undefined || calls.length === 0) return message
  const parsed = calls.map((call, at) => ({
    ...call,
    function: {
      ...call.function,
      arguments: argumentsOf(call.function.arguments, `messages[${index}].tool_calls[${at}]`),
    },
  }))
  return { ...message, tool_calls: parsed }
}

function argumentsOf(given: unknown, place: string): unknown {
  if (typeof given !== 'string') return given
  try {
    return given.trim() === '' ? {} : JSON.parse(given)
  } catch (cause) {
    const message = `The arguments of ${place} are no JSON (${(cause as Error).message}).`
    throw new EngineError('bad_request', message, { param: place, cause })
  }
}
