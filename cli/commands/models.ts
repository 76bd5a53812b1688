/** `illuminator models list | download | info | import | quantize | remove`: what is in the models folder. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { EngineError } from '../../engine/errors.ts'
import { Interrupted } from '../exit.ts'
import { note, write } from '../io.ts'
import { modelName } from '../options.ts'
import { createProgress } from '../progress.ts'
import type { Deps } from '../session.ts'
import { addImportModel } from './import-model.ts'
import { addQuantizeModel } from './quantize-model.ts'

interface Flags {
  json?: boolean
}

export function addModels(program: Command, deps: Deps): void {
  const models = program.command('models').description('the models on this machine')
  models
    .command('list')
    .alias('ls')
    .description('list the models that are here')
    .option('--json', 'print JSON')
    .action((flags: Flags) => list(deps, flags))
  models
    .command('download')
    .alias('pull')
    .description('fetch a model')
    .argument('[model]', 'Hugging Face id, or id@revision (default: SmolLM2-135M-Instruct)')
    .option('--json', 'print JSON')
    .action((model: string | undefined, flags: Flags) => download(deps, model, flags))
  models
    .command('info')
    .alias('show')
    .description('what a model that is here is made of')
    .argument('<model>', 'id, as "models list" prints it, or a folder')
    .option('--json', 'print JSON')
    .action((model: string, flags: Flags) => info(deps, model, flags))
  addImportModel(models, deps)
  addQuantizeModel(models, deps)
  models
    .command('remove')
    .alias('rm')
    .description('delete a model from the models folder')
    .argument('<model>', 'id, as "models list" prints it')
    .option('--json', 'print JSON')
    .action((model: string, flags: Flags) => remove(deps, model, flags))
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

async function list({ io, parts }: Deps, flags: Flags): Promise<void> {
  const models = await (await parts.hub()).listModels()
  if (flags.json) return write(io.stdout, `${JSON.stringify(models, null, 2)}\n`)
  if (models.length === 0) {
    return note(io, 'No model is here yet; "illuminator models download" fetches the default one.')
  }
  const width = Math.max(...models.map(({ id }) => id.length))
  for (const { id, bytes, folder } of models) {
    await write(io.stdout, `${id.padEnd(width)}  ${megabytes(bytes).padStart(10)}  ${folder}\n`)
  }
}

async function download(
  { io, parts }: Deps,
  model: string | undefined,
  flags: Flags,
): Promise<void> {
  const name = modelName(model)
  const { DEFAULT_MODEL, readOrigin, resolveModel } = await parts.hub()
  const controller = new AbortController()
  const release = io.onInterrupt(() => controller.abort())
  const progress = createProgress(io)
  try {
    const { id, folder, source } = await resolveModel(name ?? DEFAULT_MODEL, {
      signal: controller.signal,
      onProgress: (step) => progress.report(step),
    })
    progress.stop()
    note(io, `From: ${source}`)
    const { revision = null, commit = null } = (await readOrigin(folder)) ?? {}
    const facts = { id, folder, source, revision, commit }
    await write(io.stdout, flags.json ? `${JSON.stringify(facts, null, 2)}\n` : `${folder}\n`)
  } catch (error) {
    throw controller.signal.aborted ? new Interrupted('interrupted', { cause: error }) : error
  } finally {
    progress.stop()
    release()
  }
}

async function info(deps: Deps, model: string, flags: Flags): Promise<void> {
  const { listModels, readOrigin, resolveModel } = await deps.parts.hub()
  const { id, folder } = await resolveModel(modelName(model) ?? model, { offline: true })
  const stored = (await listModels()).find((each) => each.folder === folder)
  const config = await readConfig(folder)
  const origin = await readOrigin(folder)
  const facts = {
    id,
    folder,
    bytes: stored?.bytes ?? null,
    architecture: (config.architectures as string[] | undefined)?.[0] ?? null,
    weights: stored?.weights ?? config.quantization ?? config.torch_dtype ?? null,
    layers: config.num_hidden_layers ?? null,
    hidden_size: config.hidden_size ?? null,
    heads: config.num_attention_heads ?? null,
    kv_heads: config.num_key_value_heads ?? config.num_attention_heads ?? null,
    vocabulary_size: config.vocab_size ?? null,
    context_length: config.max_position_embeddings ?? null,
    source: origin?.source ?? null,
    revision: origin?.revision ?? null,
    commit: origin?.commit ?? null,
    fetched: origin?.fetched ?? null,
  }
  if (flags.json) return write(deps.io.stdout, `${JSON.stringify(facts, null, 2)}\n`)
  const lines = Object.entries(facts).map(([name, value]) => {
    const shown = typeof value === 'object' && value !== null ? JSON.stringify(value) : value
    return `${name.replaceAll('_', ' ').padEnd(16)} ${shown ?? 'unknown'}\n`
  })
  await write(deps.io.stdout, lines.join(''))
}

async function readConfig(folder: string): Promise<Record<string, unknown>> {
  const file = join(folder, 'config.json')
  try {
    const config: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (typeof config === 'object' && config !== null) return config as Record<string, unknown>
    throw new TypeError('it is no object')
  } catch (cause) {
    throw new EngineError('model', `${file} cannot be read: ${String(cause)}`, { cause })
  }
}

async function remove({ io, parts }: Deps, model: string, flags: Flags): Promise<void> {
  const { removeModel } = await parts.hub()
  const { bytes, folder } = await removeModel(model)
  if (flags.json) return write(io.stdout, `${JSON.stringify({ folder, bytes }, null, 2)}\n`)
  note(io, `Removed ${folder} (${megabytes(bytes)}).`)
}
