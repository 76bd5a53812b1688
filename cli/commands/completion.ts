/** `illuminator completion SHELL`: the script with which a shell completes this command line. */
import { Argument, type Command } from 'commander'
import { bashScript } from '../completion/bash.ts'
import { type TreeCommand, treeOf } from '../completion/command-tree.ts'
import { fishScript } from '../completion/fish.ts'
import { zshScript } from '../completion/zsh.ts'
import { write } from '../io.ts'
import type { Deps } from '../session.ts'
import { SHORTHANDS } from '../shorthands.ts'

const SCRIPTS: Readonly<Record<string, (tree: TreeCommand) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
}

const HOW = `
  bash: eval "$(illuminator completion bash)"      in ~/.bashrc
  zsh:  eval "$(illuminator completion zsh)"       in ~/.zshrc, after compinit
  fish: illuminator completion fish | source       in ~/.config/fish/config.fish`

export function addCompletion(program: Command, { io }: Deps): void {
  program
    .command('completion')
    .description('print the script by which your shell completes these commands')
    .addArgument(new Argument('<shell>', 'which').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', HOW)
    .action(async (shell: string) => {
      const script = SCRIPTS[shell]?.(treeOf(program, SHORTHANDS)) ?? ''
      await write(io.stdout, script)
    })
}
