/** `illuminator bench`: the benchmarks that come with the package, in a process of their own. */
import type { Command } from 'commander'
import { CommandError, Interrupted } from '../exit.ts'
import type { Deps } from '../session.ts'

export function addBench(program: Command, deps: Deps): void {
  program
    .command('bench')
    .description('time kernels and models here; "bench --help" lists what')
    .argument('[args...]', 'suite and options')
    // All of them are the benchmarks' own, --help too.
    .allowUnknownOption()
    .helpOption(false)
    .action((args: string[]) => bench(deps, args))
}

async function bench({ io, parts }: Deps, args: readonly string[]): Promise<void> {
  let isInterrupted = false
  // Ctrl-C reaches the other process by itself; this one waits for its end.
  const release = io.onInterrupt(() => {
    isInterrupted = true
  })
  try {
    const code = await parts.bench(args)
    if (isInterrupted) throw new Interrupted('interrupted')
    if (code !== 0) throw new CommandError('The benchmark failed; see above.')
  } finally {
    release()
  }
}
