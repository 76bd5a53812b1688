/** Seeded inputs of a kernel in a shape, and what its oracle makes of them: the same for each of the kernel's tunings. */
import { BLOCK_ROWS, rowsFrom } from './formats/format.ts'
import { formatOf } from './formats/index.ts'
import { type Arrays, type Kernel, Random, type Shape, type Tuning } from './kernel.ts'

/** A random matrix, packed, and what its format decodes it to. */
export interface KnownMatrix {
  readonly words: Uint32Array
  readonly scales: Uint32Array
  readonly decoded: Float32Array
}

export interface KnownCase {
  readonly io: Arrays
  /** Null where the kernel reads none. */
  readonly matrix: KnownMatrix | null
  /** What the oracle leaves in every binding; worked out when it is first asked for. */
  readonly want: () => Arrays
}

export function knownCase<S extends Shape, T extends Tuning>(
  kernel: Kernel<S, T>,
  shape: S,
  seed = 1,
): KnownCase {
  const random = new Random(seed)
  const of = kernel.weight?.(shape)
  const matrix = of ? randomMatrix(of, random) : null
  const io = kernel.inputs(shape, random)
  let known: Arrays | null = null
  const want = (): Arrays => {
    if (known) return known
    known = Object.fromEntries(Object.entries(io).map(([name, data]) => [name, data.slice()]))
    kernel.oracle(shape, known, matrix?.decoded ?? new Float32Array(0))
    return known
  }
  return { io, matrix, want }
}

function randomMatrix(
  { format: name, rows, columns }: { format: string; rows: number; columns: number },
  random: Random,
): KnownMatrix {
  const format = formatOf(name)
  const source = format.encode(random.floats(rows * columns), rows, columns)
  const blocks = Math.ceil(rows / BLOCK_ROWS)
  const { words, scales } = format.wordsPerRowBlock(columns)
  const packed = {
    words: new Uint32Array(words * blocks),
    scales: new Uint32Array(scales * blocks),
  }
  for (let block = 0; block < blocks; block++) {
    const from = block * BLOCK_ROWS
    const count = Math.min(rows - from, BLOCK_ROWS)
    format.pack(source, rowsFrom(from, count), columns, packed, block)
  }
  return { ...packed, decoded: format.decode(source, rows, columns) }
}
