/** For tests: what a reference made of a model, and how far the engine is from it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine } from '../engine/engine.ts'
import type { LogitsResult } from '../engine/logits.ts'
import { encodeSafetensors, writeFolder } from '../engine/weights/fixture.ts'
import { formatOf } from '../kernels/index.ts'

export interface GoldenPrompt {
  readonly ids: number[]
  readonly last_logits: number[]
  /** All logits after some positions. */
  readonly logits?: Readonly<Record<string, number[]>>
  /** The eight largest after some positions: ids and logits. */
  readonly top8?: Readonly<Record<string, [number, number][]>>
  readonly greedy: number[]
}

export interface Golden {
  readonly prompts: readonly GoldenPrompt[]
  /** Tokens to load the model for, where its rotation depends on them. */
  readonly context?: number
}

/** Below this lead the reference itself may have chosen otherwise. */
export const NEAR_TIE = 5e-3

export const readGolden = (folder: string): Golden =>
  JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as Golden

/** The largest distance of a logit that the reference states, and where it is. */
export function farthest(
  { ids, last_logits, logits = {}, top8 = {} }: GoldenPrompt,
  { last, all }: LogitsResult,
): { distance: number; at: string } {
  let found = { distance: 0, at: 'nowhere' }
  const look = (position: number, id: number, want: number, got = Number.NaN): void => {
    const distance = Math.abs(want - got)
    if (distance <= found.distance || Number.isNaN(found.distance)) return
    found = { distance, at: `position ${position} of ${ids.length}, id ${id}: ${got}, not ${want}` }
  }
  for (const [id, want] of last_logits.entries()) look(ids.length - 1, id, want, last[id])
  for (const [position, row] of Object.entries(logits)) {
    for (const [id, want] of row.entries()) look(+position, id, want, all?.[+position]?.[id])
  }
  for (const [position, tops] of Object.entries(top8)) {
    for (const [id, want] of tops) look(+position, id, want, all?.[+position]?.[id])
  }
  return found
}

/** The engine's lead of its first id that is not the reference's, and its place; null where all are the same. */
export async function parting(
  engine: Engine,
  { ids, greedy: wanted }: GoldenPrompt,
  greedy: readonly number[],
): Promise<{ lead: number; at: number } | null> {
  const at = greedy.findIndex((id, i) => id !== wanted[i])
  if (at < 0) return null
  const { last } = await engine.logits([...ids, ...greedy.slice(0, at)])
  const [first = 0, second = 0] = Float32Array.from(last).sort().reverse()
  return { lead: first - second, at }
}

/** A golden whose weights are a function of their names: `test/goldens/random.json`. */
export interface NamedGolden extends Golden {
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
  /** By name; values lie within `spread` of `centre`. */
  readonly tensors: Readonly<
    Record<string, [dtype: 'F32' | 'F16' | 'BF16', shape: number[], spread: number, centre: number]>
  >
}

/** Writes its folder; remove it with `removeFolder`. */
export function writeNamed({ config, tensors }: NamedGolden): Promise<string> {
  const encoded = Object.entries(tensors).map(([name, [dtype, shape, spread, centre]]) => {
    const values = numbersOf(name, shape).map((value) => value * spread + centre)
    const { weight } = formatOf(dtype.toLowerCase()).encode(
      Float32Array.from(values),
      1,
      values.length,
    )
    return [name, { dtype, shape, data: weight }] as const
  })
  return writeFolder({
    'config.json': config,
    'model.safetensors': encodeSafetensors(Object.fromEntries(encoded)),
  })
}

/** From −1 to 1, by name and index: the function of `test/python/random_goldens.py`. */
export function numbersOf(name: string, shape: readonly number[]): Float64Array {
  let seed = 0x811c9dc5
  for (const byte of Buffer.from(name)) seed = Math.imul(seed ^ byte, 0x01000193)
  return new Float64Array(shape.reduce((a, b) => a * b, 1)).map((_, i) => {
    let x = Math.imul(i, 0x9e3779b9) ^ seed
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
    x = (x ^ (x >>> 16)) >>> 0
    return x / 2 ** 31 - 1
  })
}
