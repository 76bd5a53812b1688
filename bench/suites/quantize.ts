/**
 * How fast weights are quantized on their way to the GPU, in bytes of the checkpoint a second, beside the same weights
 * loaded as they are: in turns, in one process, pipelines compiled before. Of what came out a matrix is held against the
 * oracle, bit for bit, else there is no figure.
 */
import { DEFAULT_MODEL } from '../../engine/hub/index.ts'
import type { QuantizeType } from '../../engine/index.ts'
import { findModel, type ModelFiles } from '../../engine/model-files.ts'
import type { Matrix } from '../../engine/weights/load.ts'
import { loadWeights } from '../../engine/weights/model-weights.ts'
import { BLOCK_ROWS, Device, formatOf, kernels, Pipelines } from '../../kernels/index.ts'
import { readBack } from '../../kernels/oracle.ts'
import { BenchError } from '../failure.ts'
import type { Figure } from '../figures.ts'
import { spreadOf } from '../statistics.ts'

export interface QuantizeBenchOptions {
  /** Of BF16, F16 or F32. */
  readonly model: string | undefined
  readonly adapter: string | undefined
  readonly types: readonly QuantizeType[]
  readonly repeats: number
  readonly note: (message: string) => void
}

export interface QuantizeBench {
  readonly model: string
  readonly weights: string
  readonly adapter: string
  readonly driver: string
  readonly figures: Figure[]
}

/** Megabytes a second that quantizing should reach. */
const WANTED = 200

interface Times {
  /** Milliseconds until the GPU is done. */
  readonly wall: number
  /** Milliseconds of processor time, of all threads. */
  readonly cpu: number
}

/** Throws EngineError, GpuError; BenchError where an output differs from its oracle. */
export async function benchQuantize(options: QuantizeBenchOptions): Promise<QuantizeBench> {
  const { model = DEFAULT_MODEL, adapter, repeats, note } = options
  const device = await Device.open(adapter ? { adapter } : {})
  try {
    const pipelines = new Pipelines(device)
    const kinds = [undefined, ...options.types]
    const files = new Map<QuantizeType | undefined, ModelFiles>()
    for (const kind of kinds) {
      files.set(kind, await findModel(model, kind ? { quantize: kind } : {}))
    }
    const plain = files.get(undefined) as ModelFiles
    const bytes = await plain.reading(async (checkpoint) => checkpoint.bytes)
    const times = new Map(kinds.map((kind) => [kind, [] as Times[]]))
    // The first turn compiles, reads the file into the page cache, and is checked.
    for (let turn = 0; turn <= repeats; turn++) {
      note(turn === 0 ? 'once to check what comes out' : `turn ${turn} of ${repeats}`)
      for (const [kind, one] of files) {
        const took = await loadOnce(device, pipelines, one, turn === 0)
        if (turn > 0) times.get(kind)?.push(took)
      }
    }
    const figures = [...times].flatMap(([kind, some]) => figuresOf(kind, some, bytes))
    const { id, facts } = plain
    const { name, driver } = device
    return { model: id, weights: facts.weights, adapter: name, driver, figures }
  } finally {
    device.close()
  }
}

function loadOnce(
  device: Device,
  pipelines: Pipelines,
  { config, family, quantized, reading }: ModelFiles,
  isChecked: boolean,
): Promise<Times> {
  return reading(async (checkpoint, checked) => {
    const source = { checkpoint, config, checked, quantized }
    const [begun, cpu] = [performance.now(), process.cpuUsage()]
    const weights = await loadWeights(device, pipelines, source, () => {})
    await device.gpu.queue.onSubmittedWorkDone()
    const wall = performance.now() - begun
    const { user, system } = process.cpuUsage(cpu)
    const module = family.tensors.layer(0).o
    const to = quantized.get(module)
    if (isChecked && to) {
      const [o] = weights.layers.map((layer) => layer.o) as [Matrix]
      const { dtype } = checkpoint.info(`${module}.weight`)
      const from = await checkpoint.readAll(`${module}.weight`)
      await check(device, o, from, {
        source: dtype.toLowerCase(),
        bits: to.bits,
        group: to.groupSize,
      })
    }
    device.memory.freeAll()
    return { wall, cpu: (user + system) / 1000 }
  })
}

/** Throws BenchError where the matrix's bits are not those of the oracle. */
async function check(
  device: Device,
  { format, rows, columns, parts }: Matrix,
  from: Uint8Array,
  kind: { source: string; bits: number; group: number },
): Promise<void> {
  const { weight } = formatOf(kind.source).rowBytes(columns)
  const part = parts[0] as Matrix['parts'][number]
  // Whole blocks of rows: of a part of one, the rest is zeros.
  const some = Math.min(Math.floor(part.rows / BLOCK_ROWS), 4) * BLOCK_ROWS
  const shape = { ...kind, rows: some, columns, rowBlock: 0 } as Parameters<
    typeof kernels.quantize.oracle
  >[0]
  const per = formatOf(format).wordsPerRowBlock(columns)
  const io = {
    source: new Uint32Array(from.slice(0, weight * some).buffer),
    faults: new Uint32Array(2),
    w: new Uint32Array((per.words * some) / BLOCK_ROWS),
    w_scale: new Uint32Array((per.scales * some) / BLOCK_ROWS),
  }
  kernels.quantize.oracle(shape, io, new Float32Array(0))
  for (const name of ['w', 'w_scale'] as const) {
    const want = io[name]
    const buffer = part.buffers[name] as GPUBuffer
    const got = new Uint32Array(await readBack(device, buffer, want.byteLength))
    const at = want.findIndex((word, i) => word !== got[i])
    if (at < 0) continue
    throw new BenchError(`${format} of ${rows} rows: word ${at} of ${name} is not the oracle's.`)
  }
}

function figuresOf(
  kind: QuantizeType | undefined,
  times: readonly Times[],
  bytes: number,
): Figure[] {
  const name = `load weights, ${kind ?? 'as they are'}`
  const rate = ({ wall }: Times): number => bytes / wall / 1000
  return [
    {
      name,
      unit: 'MB/s',
      runs: times.length,
      ...spreadOf(times.map(rate)),
      ...(kind ? { wanted: { is: '>=', bound: WANTED } as const } : {}),
    },
    {
      name: `${name}: processor time`,
      unit: 'ms',
      runs: times.length,
      ...spreadOf(times.map(({ cpu }) => cpu)),
    },
  ]
}
