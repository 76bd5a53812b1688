/** The command line as a process of its own, over a fake engine: for tests that need a real terminal or real signals. */
import { processIo } from '../cli/io.ts'
import { parts } from '../cli/open-engine.ts'
import { runCli } from '../cli/program.ts'
import { FakeCliEngine } from './cli-terminal.ts'

const openEngine = async () => new FakeCliEngine({ rate: 20 })
process.exitCode = await runCli(process.argv.slice(2), {
  io: processIo(),
  parts: { ...parts, openEngine },
})
