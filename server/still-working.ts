/**
 * A sign of life before an answer that is not streamed. Node's own fetch (and with it OpenAI's package, whatever timeout
 * it is given) gives up when no head of an answer has come for 300 s; a 102 makes it count anew. Not every client knows
 * what an interim answer is (Python's http.client takes it for the answer), so only those get one that say they run on
 * Node.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Milliseconds between signs: as late as can be. */
const EVERY = 240_000

const NODE = /\bnode\b/i

/** Sends 102 every so often for as long as a client on Node waits for the head of its answer. */
export async function tellStillWorking<T>(
  { headers }: IncomingMessage,
  outgoing: ServerResponse,
  head: T | Promise<T>,
  every = EVERY,
): Promise<T> {
  const client = `${headers['user-agent'] ?? ''} ${headers['x-stainless-runtime'] ?? ''}`
  if (!NODE.test(client)) return head
  const timer = setInterval(() => {
    if (!outgoing.headersSent && !outgoing.destroyed) outgoing.writeProcessing()
  }, every)
  try {
    return await head
  } finally {
    clearInterval(timer)
  }
}
