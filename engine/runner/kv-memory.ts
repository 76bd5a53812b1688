/** How much memory the KV cache takes when nobody says. WebGPU does not tell how much an adapter has. */
import { totalmem } from 'node:os'

/** Of the machine's memory, where the adapter is the machine's processor. */
const SHARE = 1 / 32
/** On a GPU, whose memory is not known: what any that runs a language model has to spare. */
const GPU_BYTES = 2 ** 31

/** @param wanted bytes that all sequences at full length would take */
export function defaultKvBytes(software: boolean, wanted: number): number {
  return Math.min(wanted, software ? totalmem() * SHARE : GPU_BYTES)
}
