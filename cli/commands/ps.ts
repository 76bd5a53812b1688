/** `illuminator ps`: which models a running server has loaded. */
import type { Command } from 'commander'
import { applyClientSettings } from '../client/effective.ts'
import { addServer, type ServerFlags } from '../client/options.ts'
import { note, write } from '../io.ts'
import { type Deps, untilInterrupted } from '../session.ts'

interface Flags extends ServerFlags {
  all?: boolean
  json?: boolean
}

/** Where `serve` listens unless it is told otherwise. */
const USUAL_URL = 'http://127.0.0.1:8000'

export function addPs(program: Command, deps: Deps): void {
  addServer(
    program.command('ps').description('the models that a running server has loaded'),
    `which server (default: ${USUAL_URL})`,
  )
    .option('-a, --all', 'those too that it would load when asked for them')
    .option('--json', 'print JSON')
    .hook('preAction', (command) => applyClientSettings(command, deps.io.env))
    .action((flags: Flags) => ps(deps, flags))
}

async function ps({ io }: Deps, flags: Flags): Promise<void> {
  const url = flags.url ?? USUAL_URL
  const { serverOf } = await import('../backend/server-of.ts')
  const { modelStates } = await import('../backend/model-states.ts')
  const server = serverOf(io, { ...flags, url })
  const all = await untilInterrupted(io, (signal) => modelStates(server, signal))
  const models = all.filter(({ state }) => flags.all || state !== 'unloaded')
  if (flags.json) return write(io.stdout, `${JSON.stringify(models, null, 2)}\n`)
  if (models.length === 0) {
    return note(io, `${url} has no model loaded; --all lists those that it would load.`)
  }
  const rows = models.map(
    ({ id, state, pinned, memory_usage: memory, context_length: context }) => [
      id,
      pinned ? `${state}, kept` : state,
      memory ?? '',
      context === null ? '' : `context ${context}`,
    ],
  )
  const widths = [0, 1, 2].map((at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  for (const row of rows) {
    const line = row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')
    await write(io.stdout, `${line.trimEnd()}\n`)
  }
}
