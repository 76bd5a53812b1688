/**
 * Waiting for a buffer without taking a core for it. Dawn's Node binding polls the event loop at full speed while a map is
 * pending, and a CPU adapter computes on the cores that it polls on: look, take the map back, sleep, look again.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'

/** Of the time since the launch, slept between two looks, within these bounds, ms. */
const PAUSE = 0.02
const SHORTEST_PAUSE = 1
const LONGEST_PAUSE = 15

/**
 * Maps the first `size` bytes of `buffer` for reading, once the work before it is done.
 * @param at when that work was launched, as `performance.now()` says it: the longer ago, the longer the pauses
 */
export async function mapSparing(buffer: GPUBuffer, size: number, at: number): Promise<void> {
  for (;;) {
    const mapped = buffer.mapAsync(GPUMapMode.READ, 0, size)
    // The binding looks once a turn: at the end of the second it has seen a step that was done.
    const isDone = await Promise.race([
      mapped.then(() => true),
      turn(false).then(() => turn(false)),
    ])
    if (isDone) return
    const given = mapped.then(
      () => true,
      () => false,
    )
    // A pending map can be taken back; nothing else stops the polling.
    buffer.unmap()
    // It may have come through in the same turn; then it was unmapped just now, and is mapped anew at once.
    if (await given) continue
    const pause = (performance.now() - at) * PAUSE
    await sleep(Math.min(Math.max(pause, SHORTEST_PAUSE), LONGEST_PAUSE))
  }
}
