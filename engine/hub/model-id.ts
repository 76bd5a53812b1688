/** Model ids: what they may look like, the short names that stand for others, and the folder each one belongs in. */
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { EngineError } from '../errors.ts'

/** The model that is used when none is named. */
export const DEFAULT_MODEL = 'HuggingFaceTB/SmolLM2-135M-Instruct'

/** Short names, in lower case, for ids. */
const ALIASES: Readonly<Record<string, string>> = {
  'smollm2-135m-instruct': DEFAULT_MODEL,
  'huggingfacetb/smollm2-135m-instruct': DEFAULT_MODEL,
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/
/** Endings that folders under way or being removed have. */
export const RESERVED_ENDING = /\.(partial|removing|lock)$/

export interface ModelId {
  /** Aliases resolved, without the revision. */
  id: string
  /** A branch, tag or commit that the caller pinned with `id@revision`. */
  revision: string | undefined
}

/**
 * Reads `id` or `id@revision`.
 *
 * @throws EngineError('bad_request', param 'model') for anything that cannot be an id
 */
export function parseModelId(text: string): ModelId {
  const [id = '', revision, ...more] = text.split('@')
  const parts = id.split('/')
  const isId =
    ID.test(id) && !id.includes('..') && parts.every((part) => part !== '' && part !== '.')
  const isRevision = revision === undefined || (ID.test(revision) && !revision.includes('..'))
  if (!isId || !isRevision || more.length > 0 || parts.some((part) => RESERVED_ENDING.test(part))) {
    throw new EngineError(
      'bad_request',
      `${JSON.stringify(text.slice(0, 200))} is not a model id: expected at most 128 letters, digits and ._/- such as ${DEFAULT_MODEL}, optionally with @revision; a local folder is given as a path (./folder or /folder).`,
      { param: 'model' },
    )
  }
  return { id: ALIASES[id.toLowerCase()] ?? id, revision }
}

/** True for what can only be meant as a path. */
export function isPath(text: string): boolean {
  return isAbsolute(text) || /^\.\.?([/\\]|$)/.test(text) || text.startsWith('~/')
}

/** Where models are kept: `ILLUMINATOR_MODELS`, else `illuminator/models` in the user's data folder. */
export function defaultModelsFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.ILLUMINATOR_MODELS) return resolve(env.ILLUMINATOR_MODELS)
  const data = env.XDG_DATA_HOME
  const root = data !== undefined && isAbsolute(data) ? data : join(homedir(), '.local', 'share')
  return join(root, 'illuminator', 'models')
}

/** The folder of a model under the models folder. A slash in a revision becomes `--`. */
export function folderOf({ id, revision }: ModelId, modelsFolder: string): string {
  const pin = revision === undefined ? '' : `@${revision.replaceAll('/', '--')}`
  return join(modelsFolder, ...`${id}${pin}`.split('/'))
}
