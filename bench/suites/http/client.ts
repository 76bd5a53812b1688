/** The clients of the HTTP suite, in a thread of their own: what they do must not stand in the server's event loop. */
import { once } from 'node:events'
import { request } from 'node:http'
import { parentPort, Worker } from 'node:worker_threads'
import { BenchError } from '../../failure.ts'

/** Prompts to be continued at once, each by a streamed request of its own. */
export interface Asked {
  readonly url: string
  readonly prompts: readonly (readonly number[])[]
  /** That each answer must have. */
  readonly tokens: number
}

export interface Clients {
  /** The answers' texts. Throws BenchError for an answer that is not whole. */
  ask(asked: Asked): Promise<string[]>
  close(): Promise<void>
}

type Reply = { readonly texts: string[] } | { readonly error: string }

export function startClients(): Clients {
  const worker = new Worker(new URL(import.meta.url))
  return {
    async ask(asked) {
      worker.postMessage(asked)
      const [reply] = (await once(worker, 'message')) as [Reply]
      if ('error' in reply) throw new BenchError(reply.error)
      return reply.texts
    },
    async close() {
      await worker.terminate()
    },
  }
}

/** What `ask` does in its thread. */
export function askAll({ url, prompts, tokens }: Asked): Promise<string[]> {
  return Promise.all(
    prompts.map((prompt) => askOne(new URL('/v1/completions', url), prompt, tokens)),
  )
}

interface Piece {
  readonly choices: readonly { readonly text: string }[]
  readonly usage: { readonly completion_tokens: number } | null
}

async function askOne(url: URL, prompt: readonly number[], tokens: number): Promise<string> {
  const answer = await readAll(url, {
    prompt,
    max_tokens: tokens,
    temperature: 0,
    ignore_eos: true,
    stream: true,
    stream_options: { include_usage: true },
  })
  const told = [...answer.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => data)
  if (told.pop() !== '[DONE]')
    throw new BenchError(`An answer came to no end: ${answer.slice(-300)}`)
  const pieces = told.map((data) => JSON.parse(data) as Piece)
  const count = pieces.at(-1)?.usage?.completion_tokens
  if (count !== tokens) throw new BenchError(`An answer has ${count} tokens, not ${tokens}.`)
  return pieces.map(({ choices }) => choices[0]?.text ?? '').join('')
}

/** The whole body, looked at only when it is there: the time of whoever measures is not spent on it. */
function readAll(url: URL, body: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const asking = request(url, { method: 'POST', headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve(Buffer.concat(chunks).toString()))
    })
    asking.on('error', reject)
    asking.end(JSON.stringify(body))
  })
}

parentPort?.on('message', async (asked: Asked) => {
  const reply: Reply = await askAll(asked).then(
    (texts) => ({ texts }),
    (error: unknown) => ({ error: String(error) }),
  )
  parentPort?.postMessage(reply)
})
