/** The command line: all commands, help, version, and how errors become exit codes. */
import { Command } from 'commander'
import { addBatch } from './commands/batch.ts'
import { addBench } from './commands/bench.ts'
import { addChat } from './commands/chat.ts'
import { addCompletion } from './commands/completion.ts'
import { addConfig } from './commands/config.ts'
import { addDoctor } from './commands/doctor.ts'
import { addEval } from './commands/eval.ts'
import { addGenerate } from './commands/generate.ts'
import { addKeys } from './commands/keys.ts'
import { addLogits } from './commands/logits.ts'
import { addModels } from './commands/models.ts'
import { addPs } from './commands/ps.ts'
import { addRun } from './commands/run.ts'
import { addServe } from './commands/serve.ts'
import { EXIT, errorLine, exitCodeFor } from './exit.ts'
import { note } from './io.ts'
import type { Deps } from './session.ts'
import { expanded } from './shorthands.ts'
import { cliVersion } from './version.ts'

const AFTER_HELP = `
pull, ls, show and rm are those of models.
Exit codes: 0 done, 1 failed while running, 2 wrong command line, 130 interrupted.
DEBUG=illuminator prints stacks, NO_COLOR=1 switches colours off.`

/** In the order of the help. */
const COMMANDS = [
  addGenerate,
  addChat,
  addRun,
  addBatch,
  addServe,
  addPs,
  addKeys,
  addConfig,
  addDoctor,
  addModels,
  addBench,
  addEval,
  addLogits,
  addCompletion,
]

function createProgram(deps: Deps): Command {
  const { stdout, stderr } = deps.io
  const program = new Command('illuminator')
    .description('Language models on WebGPU: chat, serve, measure.')
    .version(cliVersion())
    .addHelpText('after', AFTER_HELP)
    .showHelpAfterError('(add --help for the options)')
  // Before the commands, which inherit these.
  program.exitOverride().configureOutput({
    writeOut: (text) => stdout.write(text),
    writeErr: (text) => stderr.write(text),
  })
  for (const add of COMMANDS) add(program, deps)
  return program
}

/**
 * Runs one command line to its end.
 * @param args without Node and script
 * @returns the exit code (see `exit.ts`); errors are printed as one line on stderr
 */
export async function runCli(args: readonly string[], deps: Deps): Promise<number> {
  try {
    await createProgram(deps).parseAsync(expanded(args), { from: 'user' })
    return EXIT.ok
  } catch (error) {
    const line = errorLine(error, deps.io.env.DEBUG)
    if (line !== null) note(deps.io, line)
    return exitCodeFor(error)
  }
}
