/** A thread that asks `/health` every 50 ms until it is told to stop: in the thread of a busy client it would wait for that. */
import { once } from 'node:events'
import { parentPort, Worker, workerData } from 'node:worker_threads'

const PAUSE = 50

export interface HealthWatch {
  /** Milliseconds that each answer took. */
  stop(): Promise<number[]>
}

export function watchHealth(url: URL): HealthWatch {
  const worker = new Worker(new URL(import.meta.url), { workerData: url.href })
  return {
    async stop() {
      worker.postMessage('stop')
      const [times] = await once(worker, 'message')
      return times as number[]
    },
  }
}

async function watch(port: NonNullable<typeof parentPort>): Promise<void> {
  const times: number[] = []
  let going = true
  port.once('message', () => {
    going = false
  })
  while (going) {
    const began = performance.now()
    await (await fetch(new URL('/health', workerData as string))).text()
    times.push(performance.now() - began)
    await new Promise((resolve) => setTimeout(resolve, PAUSE))
  }
  port.postMessage(times)
}

if (parentPort) await watch(parentPort)
