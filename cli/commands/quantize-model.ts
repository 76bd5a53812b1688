/** `illuminator models quantize SRC OUT`: a model's weights in fewer bits, in a folder of its own. */
import type { Command } from 'commander'
import type { QuantizeType } from '../../engine/api.ts'
import { note, write } from '../io.ts'
import { modelName, quantizeOption } from '../options.ts'
import { createProgress } from '../progress.ts'
import { type Deps, untilInterrupted } from '../session.ts'

interface Flags {
  to: QuantizeType
  force?: boolean
  adapter?: string
  json?: boolean
}

/** @param models the command that it is part of */
export function addQuantizeModel(models: Command, deps: Deps): void {
  models
    .command('quantize')
    .description('write a model’s BF16, F16 or F32 weights in fewer bits')
    .argument('<source>', 'folder or Hugging Face id')
    .argument('<out>', 'folder to write')
    .addOption(
      quantizeOption('--to <type>', 'int4/64: 4 bits in groups of 64 (default group: 32)').default(
        'int4',
      ),
    )
    .option('--force', 'replace a model that is in the folder')
    .option('--adapter <name>', 'auto, gpu, lavapipe, swiftshader, or part of an adapter’s name')
    .option('--json', 'print JSON')
    .action((source: string, out: string, flags: Flags) => quantize(deps, source, out, flags))
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

async function quantize(deps: Deps, source: string, out: string, flags: Flags): Promise<void> {
  const { io, parts } = deps
  const progress = createProgress(io)
  try {
    const facts = await untilInterrupted(io, (signal) =>
      parts.quantizeModel(modelName(source) ?? source, out, {
        quantize: flags.to,
        force: flags.force ?? false,
        ...(flags.adapter === undefined ? {} : { adapter: flags.adapter }),
        signal,
        onProgress: (step) => progress.report(step),
      }),
    )
    progress.stop()
    if (flags.json) return await write(io.stdout, `${JSON.stringify(facts, null, 2)}\n`)
    const { weights, sourceBytes, bytes, folder } = facts
    note(io, `${weights}: ${megabytes(sourceBytes)} of weights became ${megabytes(bytes)}`)
    await write(io.stdout, `${folder}\n`)
  } finally {
    progress.stop()
  }
}
