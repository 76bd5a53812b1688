/** The registry of weight formats: a line each. */
import { affineFormat } from './affine.ts'
import { floatFormat } from './floats.ts'
import type { Format } from './format.ts'

const all: readonly Format[] = [
  floatFormat('f32'),
  floatFormat('f16'),
  floatFormat('bf16'),
  ...([4, 8] as const).flatMap((bits) =>
    ([32, 64, 128] as const).flatMap((group) =>
      (['f16', 'bf16', 'f32'] as const).map((scale) => affineFormat({ bits, group, scale })),
    ),
  ),
]

export const formats: ReadonlyMap<string, Format> = new Map(
  all.map((format) => [format.id, format]),
)

/** The format of that id; an unknown id is a programming error. */
export function formatOf(id: string): Format {
  const format = formats.get(id)
  if (!format)
    throw new Error(`No weight format "${id}"; known: ${[...formats.keys()].join(', ')}.`)
  return format
}
