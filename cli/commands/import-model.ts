/** `illuminator models import FILE.gguf`: a GGUF as a model folder. */
import type { Command } from 'commander'
import { note, write } from '../io.ts'
import { createProgress } from '../progress.ts'
import { type Deps, untilInterrupted } from '../session.ts'

interface Flags {
  tokenizer?: string
  force?: boolean
  json?: boolean
}

/** @param models the command that it is part of */
export function addImportModel(models: Command, deps: Deps): void {
  models
    .command('import')
    .description('make a model of a GGUF file')
    .argument('<file>', 'the .gguf; of a split one any part')
    .argument(
      '[out]',
      'an id under the models folder, or the path of a folder (default: the file’s name, as an id)',
    )
    .option('--tokenizer <folder>', 'take tokenizer.json and what belongs to it from there')
    .option('--force', 'replace a model that is there')
    .option('--json', 'print JSON')
    .action((file: string, out: string | undefined, flags: Flags) =>
      importModel(deps, file, out, flags),
    )
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

async function importModel(
  { io, parts }: Deps,
  file: string,
  out: string | undefined,
  { tokenizer, force, json }: Flags,
): Promise<void> {
  const progress = createProgress(io)
  try {
    const facts = await untilInterrupted(io, (signal) =>
      parts.importGguf(file, {
        force: force ?? false,
        ...(out === undefined ? {} : { target: out }),
        ...(tokenizer === undefined ? {} : { tokenizer }),
        signal,
        onProgress: (step) => progress.report(step),
      }),
    )
    progress.stop()
    for (const warning of facts.warnings) note(io, `Note: ${warning}`)
    if (json) return await write(io.stdout, `${JSON.stringify(facts, null, 2)}\n`)
    const { id, folder, architecture, weights, sourceBytes, bytes } = facts
    note(
      io,
      `${id}: ${architecture}, ${weights}; ${megabytes(sourceBytes)} of tensors became ${megabytes(bytes)}`,
    )
    await write(io.stdout, `${folder}\n`)
  } finally {
    progress.stop()
  }
}
