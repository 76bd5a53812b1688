/** `bench identity`: are ids the same whatever the company? Nothing of it is a speed: it is not recorded. */
import { Command } from 'commander'
import { Engine } from '../../engine/index.ts'
import { BenchError } from '../failure.ts'
import { note, say } from '../measure.ts'
import { identityTable } from '../report/identity-table.ts'
import { checkIdentity, FULL_IDENTITY, SHORT_IDENTITY } from '../suites/identity.ts'
import { type ModelOptions, onAdapter, withAdapter, withModel } from './options.ts'

export const identityCommand = (): Command =>
  withAdapter(withModel(new Command('identity')))
    .description('Are ids the same whatever the company? Compares, times nothing.')
    .option('--full', 'more prompts')
    .action(identity)

/** Throws BenchError where an id differs or a condition did not come about. */
async function identity(options: ModelOptions): Promise<void> {
  const report = await checkIdentity({
    ...(options.full ? FULL_IDENTITY : SHORT_IDENTITY),
    load: (more) => Engine.load(options.model, { ...onAdapter(options), ...more }),
    note,
  })
  const { model, weights, adapter, driver, differences, missed, ids } = report
  say(`\n${model} (${weights}), the same ids whatever the company, on ${adapter} (${driver})`)
  say(`\n${identityTable(report)}\n\n${differences} differences in ${ids} ids.`)
  if (differences > 0) throw new BenchError(`${differences} of ${ids} ids depend on the company.`)
  if (missed > 0) throw new BenchError(`Conditions did not come about ${missed} times.`)
}
