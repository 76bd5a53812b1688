#!/usr/bin/env node
/** The `illuminator` executable: runs the command line on the real terminal and leaves with its exit code. */
import { processIo } from './io.ts'
import { parts } from './open-engine.ts'
import { runCli } from './program.ts'

// `illuminator generate … | head`: the reader has enough, and that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

process.exitCode = await runCli(process.argv.slice(2), { io: processIo(), parts })
// Everything is closed by now and the process ends by itself; should something still hold it, it ends all the same.
setTimeout(() => process.exit(), 2000).unref()
