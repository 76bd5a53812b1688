/** `illuminator serve`: the HTTP server. It answers `/health` from the first moment and says when the model is ready. */
import { basename } from 'node:path'
import type { Command } from 'commander'
import { applySettings } from '../config/sources.ts'
import { note, stderrColors, write } from '../io.ts'
import type { CliEngine } from '../open-engine.ts'
import {
  addLoading,
  type LoadFlags,
  loadingFrom,
  modelName,
  real,
  several,
  whole,
} from '../options.ts'
import { createProgress } from '../progress.ts'
import type { Deps } from '../session.ts'

interface Flags extends LoadFlags {
  host: string
  port: number
  insecure?: boolean
  allowedHost?: string[]
  drain: number
  timeout?: number
}

export function addServe(program: Command, deps: Deps): void {
  addLoading(program.command('serve').description('serve the model over HTTP'))
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 takes any free one', whole(0, 65535), 8000)
    .option('--insecure', 'allow an address that other machines can reach')
    .option('--allowed-host <name>', 'a Host header to accept beside this machine’s own', several)
    .option('--timeout <seconds>', 'most time for a request', real(0.001, 86_400))
    .option('--drain <seconds>', 'time that answers get to finish on shutdown', real(0, 3600), 30)
    .option(
      '--config <file>',
      'JSON file of settings: any of these flags, as in {"maxSequences": 8}',
    )
    .hook('preAction', (command) => applySettings(command, deps.io.env, null))
    .action((flags: Flags) => serveModel(deps, flags))
}

async function serveModel({ io, parts }: Deps, flags: Flags): Promise<void> {
  const model = modelName(flags.model)
  const { closeOnSignals, serve } = await parts.server()
  const progress = createProgress(io)
  let engine: CliEngine | undefined
  const server = await serve({
    host: flags.host,
    port: flags.port,
    insecure: flags.insecure ?? false,
    drainSeconds: flags.drain,
    ...(flags.timeout === undefined ? {} : { timeoutMs: Math.ceil(flags.timeout * 1000) }),
    ...(flags.allowedHost ? { allowedHosts: flags.allowedHost } : {}),
    ...(model ? { aliases: [model, basename(model)] } : {}),
    onProgress: (step) => progress.report(step),
    log: (line) => note(io, line),
    load: async (hooks) => {
      engine = await parts.openEngine(model, { ...loadingFrom(flags), ...hooks })
      return engine
    },
  })
  let asked = false
  const release = closeOnSignals(server, (line) => {
    asked = true
    progress.stop()
    note(io, line)
  })
  try {
    await write(io.stdout, `illuminator listens on ${server.url} and loads the model\n`)
    await server.ready
    progress.stop()
    if (engine) await write(io.stdout, banner(engine, server.url, flags))
    await server.closed
  } catch (error) {
    progress.stop()
    await server.closed
    // A load that a signal cut short is a shutdown like any other.
    if (!asked) throw error
  } finally {
    release()
  }
  note(io, stderrColors(io).dim('illuminator: closed'))
}

function banner({ info, stats }: CliEngine, url: string, flags: Flags): string {
  const body = '{"messages":[{"role":"user","content":"Why is the sky blue?"}],"stream":true}'
  const reach = flags.insecure
    ? 'No API keys: everybody who can connect can use it.'
    : 'No API keys: every program on this machine can use it.'
  return [
    `Ready: ${info.id} (${info.weights}, context ${info.contextLength}) on ${stats.adapter.name}`,
    reach,
    'Try it:',
    `  curl -N ${url}/v1/chat/completions -H 'content-type: application/json' -d '${body}'`,
    '',
  ].join('\n')
}
