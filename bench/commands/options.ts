/** Options that several commands have, with one name and meaning. */
import { Command, InvalidArgumentError } from 'commander'

export interface SuiteOptions {
  adapter?: string
  full?: boolean
  repeats?: number
}

export interface ModelOptions extends SuiteOptions {
  model?: string
}

/** A command with the options of every suite that times something. */
export function suiteCommand(name: string, summary: string): Command {
  return withAdapter(new Command(name))
    .description(summary)
    .option('--full', 'more sizes and repeats')
    .option('--repeats <n>', 'timed repeats', positive)
}

export const withAdapter = (command: Command): Command =>
  command.option('--adapter <name>', 'auto, gpu, lavapipe, swiftshader, or part of a name')

export const withModel = (command: Command): Command =>
  command.option('--model <id or folder>', 'default: the default model')

/** Load options of an engine on the adapter that was asked for. */
export const onAdapter = ({ adapter }: SuiteOptions): { adapter?: string } =>
  adapter ? { adapter } : {}

export function positive(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new InvalidArgumentError('it must be a whole number above 0.')
}
