/** What shells complete: the commands and options as commander has them, so that no list of them is written twice. */
import type { Command, Option } from 'commander'

/** What may follow an option. */
export type Values = 'none' | 'any' | 'files' | readonly string[]

export interface TreeOption {
  /** `-o`, where there is one. */
  readonly short: string | null
  /** `--output`. */
  readonly long: string
  readonly help: string
  readonly values: Values
}

export interface Word {
  readonly name: string
  readonly help: string
}

export interface TreeCommand {
  /** How it is called, each with its parents' names before it; the first is its own. */
  readonly paths: readonly string[]
  /** The first path. */
  readonly path: string
  /** What may follow it: subcommands, or what its first argument may be. */
  readonly below: readonly Word[]
  readonly options: readonly TreeOption[]
  readonly children: readonly TreeCommand[]
}

const FILES = /<(file|folder|model|place)>/

/**
 * @param shorthands words that stand for a command and its subcommand of that name, as `ls` for `models ls`
 */
export function treeOf(
  program: Command,
  shorthands: Readonly<Record<string, string>>,
): TreeCommand {
  const tree = commandOf(program, [''], shorthands)
  const short = Object.entries(shorthands).map(([name, of]) => ({ name, help: `${of} ${name}` }))
  return { ...tree, below: [...tree.below, ...short] }
}

/** The tree as a list, parents first. */
export function flattened(tree: TreeCommand): TreeCommand[] {
  return [tree, ...tree.children.flatMap(flattened)]
}

function commandOf(
  command: Command,
  paths: readonly string[],
  shorthands: Readonly<Record<string, string>>,
): TreeCommand {
  const help = command.createHelp()
  const commands = help.visibleCommands(command)
  const children = commands.map((child) => {
    const names = namesOf(child)
    const below = paths.flatMap((path) => names.map((name) => `${path} ${name}`))
    const short = names.filter((name) => shorthands[name] === command.name())
    return commandOf(child, [...below, ...short.map((name) => ` ${name}`)], shorthands)
  })
  const choices = command.registeredArguments[0]?.argChoices ?? []
  return {
    paths,
    path: paths[0] ?? '',
    below: [
      ...commands.flatMap((child) =>
        namesOf(child).map((name) => ({ name, help: child.description() })),
      ),
      ...choices.map((name) => ({ name, help: '' })),
    ],
    options: help.visibleOptions(command).map(optionOf),
    children,
  }
}

const namesOf = (command: Command): string[] => [command.name(), ...command.aliases()]

function optionOf(option: Option): TreeOption {
  return {
    short: option.short ?? null,
    long: option.long ?? '',
    help: option.description,
    values: valuesOf(option),
  }
}

function valuesOf(option: Option): Values {
  if (!option.required && !option.optional) return 'none'
  if (option.argChoices) return option.argChoices
  return FILES.test(option.flags) ? 'files' : 'any'
}
