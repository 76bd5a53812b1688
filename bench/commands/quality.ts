/** `bench quality`: what quantizing on load costs. No speed, so it is not recorded; it fails where it costs too much. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { BenchError } from '../failure.ts'
import { note, say } from '../measure.ts'
import { qualityTable } from '../report/quality-table.ts'
import { FULL_QUALITY, measureQuality, SHORT_QUALITY } from '../suites/quality.ts'
import { type ModelOptions, onAdapter, withAdapter, withModel } from './options.ts'

interface QualityOptions extends ModelOptions {
  bf16?: string
  file?: string
}

export const qualityCommand = (): Command =>
  withAdapter(withModel(new Command('quality')))
    .description('Perplexity of the BF16 form, and quantized on load. Times nothing.')
    .option('--bf16 <folder>', "the model's BF16 form; default: written for the run")
    .option('--file <file>', 'text in UTF-8; default: the README')
    .option('--full', 'every group size too')
    .action(quality)

/** Throws BenchError where a type costs more than it may. */
async function quality(options: QualityOptions): Promise<void> {
  const file = options.file ?? (await readme())
  const report = await measureQuality({
    ...(options.full ? FULL_QUALITY : SHORT_QUALITY),
    model: options.model,
    bf16: options.bf16,
    load: onAdapter(options),
    text: await readFile(file, 'utf8'),
    note,
  })
  const { model, adapter, driver, tokens, rows } = report
  say(
    `\n${model}, ${tokens} tokens of ${file}, on ${adapter} (${driver})\n\n${qualityTable(report)}`,
  )
  const over = rows.filter(({ cost, most }) => most !== null && !(cost <= most))
  if (over.length === 0) return
  throw new BenchError(`Too dear: ${over.map(({ type }) => type).join(', ')}.`)
}

/** The nearest one above: of the checkout, or of the package. */
async function readme(): Promise<string> {
  for (let folder = new URL('../', import.meta.url); ; folder = new URL('../', folder)) {
    const file = fileURLToPath(new URL('README.md', folder))
    if (
      await readFile(file).then(
        () => true,
        () => false,
      )
    )
      return file
    if (folder.pathname === '/')
      throw new BenchError('There is no README here; name a text by --file.')
  }
}
