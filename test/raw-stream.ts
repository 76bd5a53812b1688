/** One streamed answer read over a bare socket: what a client costs must not be most of what is measured. */
import { connect } from 'node:net'
import { post } from './raw-client.ts'

export interface RawStream {
  /** Resolves once the server has closed the connection, or it broke. */
  readonly over: Promise<void>
  close(): void
}

export interface StreamedAnswer {
  url: URL
  path: string
  body: object
  /** Hears the data of every event, as it stands. */
  onData: (data: string) => void
}

export function rawStream({ url, path, body, onData }: StreamedAnswer): RawStream {
  const socket = connect(Number(url.port), url.hostname)
  let rest = ''
  socket.setEncoding('latin1')
  socket.on('error', () => undefined)
  socket.write(post(path, body).replace('\r\n', '\r\nconnection: close\r\n'))
  socket.on('data', (text: string) => {
    rest += text
    let from = 0
    // A chunk of the transfer is whole events, so its lengths stand between them.
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n', from)) {
      const at = rest.indexOf('data: ', from)
      if (at >= 0 && at < end) onData(rest.slice(at + 'data: '.length, end))
      from = end + 2
    }
    rest = rest.slice(from)
  })
  const over = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return { over, close: () => socket.destroy() }
}
