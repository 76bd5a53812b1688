/** `npm run bench`, and `illuminator bench`: how fast the kernels and a whole model are here, beside what the adapter can do. */
import { EngineError } from '../engine/index.ts'
import { GpuError } from '../kernels/index.ts'
import { gateCommand } from './commands/gate.ts'
import { httpCommand } from './commands/http.ts'
import { identityCommand } from './commands/identity.ts'
import {
  type KernelsOptions,
  kernelsCommand,
  kernelsPart,
  withKernels,
} from './commands/kernels.ts'
import { loadCommand } from './commands/load.ts'
import { modelCommand, modelPart } from './commands/model.ts'
import { type ModelOptions, suiteCommand, withModel } from './commands/options.ts'
import { peersCommand } from './commands/peers.ts'
import { profileCommand } from './commands/profile.ts'
import { qualityCommand } from './commands/quality.ts'
import { quantizeCommand } from './commands/quantize.ts'
import { reportCommand } from './commands/report.ts'
import { servingCommand } from './commands/serving.ts'
import { tuneCommand } from './commands/tune.ts'
import { windowCommand } from './commands/window.ts'
import { BenchError } from './failure.ts'
import { measure } from './measure.ts'

/** One file each; the bench itself runs what says most. */
const COMMANDS = [
  kernelsCommand,
  gateCommand,
  modelCommand,
  loadCommand,
  profileCommand,
  tuneCommand,
  servingCommand,
  httpCommand,
  identityCommand,
  qualityCommand,
  quantizeCommand,
  windowCommand,
  peersCommand,
  reportCommand,
]

const bench = withModel(withKernels(suiteCommand('bench', 'Times kernels and the model.')))
  .action((options: KernelsOptions & ModelOptions) => measure([kernelsPart, modelPart], options))
  .enablePositionalOptions()
  .showHelpAfterError('(add --help for the options)')
for (const command of COMMANDS) bench.addCommand(command().copyInheritedSettings(bench))

try {
  await bench.parseAsync(process.argv.slice(2), { from: 'user' })
} catch (error) {
  const expected = [BenchError, EngineError, GpuError].some((type) => error instanceof type)
  if (!expected || !(error instanceof Error)) throw error
  process.stderr.write(`bench: ${error.message.replace(/\s*\n\s*/g, ' ')}\n`)
  process.exitCode = 1
}
