/** Where the chat templates of a model stand: the three places of its folder that transformers reads, or a file of the caller's. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { TokenizerError } from './errors.ts'
import { isObject, type JsonObject, readObject, readText } from './files.ts'

export interface TemplateSources {
  /** `default`, and perhaps `tool_use` and others. */
  named: ReadonlyMap<string, string>
  /** The file to name when a template fails. */
  source: string
}

const FILE = 'chat_template.jinja'
/** Templates beside the default one, each named by its file. */
const MORE = 'additional_chat_templates'
/** Where processors of models that also see kept the template. */
const OLDER = 'chat_template.json'
const CONFIG = 'tokenizer_config.json'

/**
 * `chat_template.jinja` with those of `additional_chat_templates/`, else `chat_template` of tokenizer_config.json (one, or
 * a list of named ones), else that of chat_template.json.
 *
 * @param config tokenizer_config.json
 * @param file stands for all of them
 * @throws TokenizerError 'missing' where there is none, 'broken' for a file that cannot be read
 */
export async function readTemplates(
  folder: string,
  config: JsonObject,
  file?: string,
): Promise<TemplateSources> {
  if (file !== undefined) {
    const text = await readText('', file)
    if (text !== undefined) return { named: new Map([['default', text]]), source: file }
    throw new TokenizerError('broken', `There is no chat template ${file}.`)
  }
  const files = await readFiles(folder)
  if (files.size > 0) return { named: files, source: join(folder, FILE) }
  const configured = readNamed(config.chat_template)
  if (configured.size > 0) return { named: configured, source: join(folder, CONFIG) }
  const older = readNamed((await readObject(folder, OLDER))?.chat_template)
  if (older.size > 0) return { named: older, source: join(folder, OLDER) }
  throw new TokenizerError(
    'missing',
    `The model in ${folder} has no chat template (no ${FILE}, and no chat_template in ${CONFIG}), as base models have none: give it a plain prompt instead of messages, or a template of its kind with --chat-template FILE (chatTemplate in the library).`,
  )
}

async function readFiles(folder: string): Promise<Map<string, string>> {
  const named = new Map<string, string>()
  const main = await readText(folder, FILE)
  if (main !== undefined) named.set('default', main)
  for (const name of await names(join(folder, MORE))) {
    const text = await readText(join(folder, MORE), name)
    if (text !== undefined) named.set(name.slice(0, -'.jinja'.length), text)
  }
  return named
}

async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.jinja')).sort()
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw new TokenizerError('broken', `${folder} cannot be read (${code ?? cause}).`, { cause })
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
