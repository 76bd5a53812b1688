/** The terminal as commands see it, so that tests can stand in for it. Answers go to stdout, everything else to stderr. */
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import pc from 'picocolors'

type Terminal<T> = T & { isTTY?: boolean }

export interface Io {
  stdin: Terminal<Readable>
  stdout: Terminal<Writable>
  stderr: Terminal<Writable>
  env: Readonly<Record<string, string | undefined>>
  /** Calls back on Ctrl-C or SIGTERM until the result is called. */
  onInterrupt(handler: () => void): () => void
}

/** The process's own. */
export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process
  return {
    stdin,
    stdout,
    stderr,
    env,
    onInterrupt(handler) {
      process.on('SIGINT', handler)
      process.on('SIGTERM', handler)
      return () => {
        process.off('SIGINT', handler)
        process.off('SIGTERM', handler)
      }
    },
  }
}

/** Writes, and waits when the reader is slower than we are. */
export async function write(stream: Writable, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain')
}

/** Colours for stderr; none where it is no terminal or `NO_COLOR` is set. */
export function stderrColors(io: Io): ReturnType<typeof pc.createColors> {
  return pc.createColors(io.stderr.isTTY === true && !io.env.NO_COLOR)
}

/** One line on stderr. */
export function note(io: Io, line: string): void {
  io.stderr.write(`${line}\n`)
}

/** All of stdin as text, without the line break that ends it. */
export async function readAll(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
}
