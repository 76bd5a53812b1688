/**
 * What every peer's process does: it answers calls of `bench/side-by-side/peer-process.ts`, one at a time.
 *
 * @typedef {{ ids: number[], times: number[] }} Written ids, and when each came: milliseconds since the call
 * @typedef {{ version: string, device: string, weights: string }} Opened what really runs, for the report
 * @typedef {object} Peer
 * @property {(options: Record<string, string>) => Promise<Opened>} open loads the model
 * @property {(prompts: number[][], tokens: number) => Promise<Written[]>} write continues prompts, greedily, all at once,
 *   past the model's end of text, with nothing kept of an earlier call
 * @property {() => Promise<void>} close
 */
import { readFileSync } from 'node:fs'

/** @param {Peer} peer */
export function answer(peer) {
  process.on('message', async ({ call, args }) => {
    try {
      process.send?.({ value: (await peer[call](...args)) ?? null })
    } catch (error) {
      process.send?.({ error: error instanceof Error ? error.message : String(error) })
    }
  })
  // The bench went away, or is done.
  process.on('disconnect', () => process.exit())
}

/** The installed version of a package. */
export function versionOf(name) {
  const file = new URL(`./node_modules/${name}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).version
}
