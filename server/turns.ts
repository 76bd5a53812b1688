/**
 * Work that comes in bursts, some pieces at a turn of the event loop. A step of the engine has a token for every stream
 * at once; whoever asks for something else meanwhile must not wait until all of them are written.
 */

/** Pieces in a turn: about a millisecond of streams. */
const TURN = 32

const waiting: (() => void)[] = []
let room = TURN
let isScheduled = false

/** Does `work` now where this turn has room for it, else at one of the next, in the order of the calls. It must not throw. */
export function takeTurn(work: () => void): void {
  if (room > 0 && waiting.length === 0) {
    room--
    work()
  } else waiting.push(work)
  schedule()
}

function schedule(): void {
  if (isScheduled) return
  isScheduled = true
  setImmediate(nextTurn)
}

function nextTurn(): void {
  isScheduled = false
  const some = waiting.splice(0, TURN)
  room = TURN - some.length
  for (const work of some) work()
  if (some.length > 0) schedule()
}
