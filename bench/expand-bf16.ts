/**
 * Writes the BF16 form of a model folder: what is packed becomes w = scale * q + bias, and every number is rounded to the
 * nearest BF16, ties to even. Rows are read, unpacked and written in bounded pieces.
 */
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '../engine/index.ts'
import { quantizationOf } from '../engine/models/config.ts'
import { type Checkpoint, openCheckpoint } from '../engine/weights/checkpoint.ts'
import { type TensorSource, writeSafetensors } from '../engine/weights/safetensors-writer.ts'
import { type Format, formatOf } from '../kernels/index.ts'

/** Values unpacked at once. */
const PIECE = 2 ** 20
/** Written anew; everything else is copied as it is. */
const NOT_COPIED = /^config\.json$|\.safetensors(\.index\.json)?$/

/** @param source any folder that the engine loads @param target is made. Throws EngineError for a broken source. */
export async function expandBf16(source: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true })
  const checkpoint = await openCheckpoint(source)
  try {
    const { quantization: _, quantization_config: __, ...plain } = checkpoint.config
    const config = { ...plain, torch_dtype: 'bfloat16' }
    await writeFile(join(target, 'config.json'), JSON.stringify(config, null, 2))
    for (const entry of await readdir(source, { withFileTypes: true })) {
      if (!entry.isDirectory() && !NOT_COPIED.test(entry.name)) {
        await copyFile(join(source, entry.name), join(target, entry.name))
      }
    }
    const names = checkpoint.names().filter((name) => !isPartOfPacked(checkpoint, name))
    const tensors = names.map((name) => tensorSource(checkpoint, name))
    await writeSafetensors(join(target, 'model.safetensors'), tensors)
  } finally {
    await checkpoint.close()
  }
}

/** Scales and biases of a packed matrix; the bias vector of a layer is called `bias`. */
function isPartOfPacked(checkpoint: Checkpoint, name: string): boolean {
  const module = name.replace(/\.(scales|biases)$/, '')
  return module !== name && checkpoint.has(`${module}.weight`)
}

function tensorSource(checkpoint: Checkpoint, name: string): TensorSource {
  const { dtype, shape } = checkpoint.info(name)
  const module = name.replace(/\.weight$/, '')
  if (module === name || !checkpoint.has(`${module}.scales`)) {
    const rows = shape.length > 1 ? (shape[0] as number) : 1
    const columns = shape.reduce((product, n) => product * n, 1) / rows
    const format = formatOf(dtype.toLowerCase())
    const read = rowsOf(checkpoint, { weight: name }, format, rows, columns)
    return { name, dtype: 'BF16', shape, chunks: read }
  }
  const stated = quantizationOf(checkpoint.config, module)
  if (!stated) {
    const message = `${checkpoint.folder}: ${name} is packed, but config.json has no "quantization" for it.`
    throw new EngineError('model', message)
  }
  const [rows = 0, words = 0] = shape
  const columns = (words * 32) / stated.bits
  const scale = checkpoint.info(`${module}.scales`).dtype.toLowerCase()
  const format = formatOf(`affine${stated.bits}/${stated.groupSize}/${scale}`)
  const parts = { weight: name, scales: `${module}.scales`, biases: `${module}.biases` }
  const read = rowsOf(checkpoint, parts, format, rows, columns)
  return { name, dtype: 'BF16', shape: [rows, columns], chunks: read }
}

/** Tensors that together hold a matrix. */
interface Parts {
  readonly weight: string
  readonly scales?: string
  readonly biases?: string
}

/** The matrix's rows as BF16, a piece at a time. */
function rowsOf(
  checkpoint: Checkpoint,
  parts: Parts,
  format: Format,
  rows: number,
  columns: number,
): () => AsyncGenerator<Uint8Array> {
  const bytes = format.rowBytes(columns)
  const bf16 = formatOf('bf16')
  const step = Math.max(1, Math.floor(PIECE / columns))
  return async function* () {
    for (let first = 0; first < rows; first += step) {
      const count = Math.min(step, rows - first)
      const read = async (part: keyof Parts): Promise<Uint8Array> => {
        const into = new Uint8Array(bytes[part] * count)
        const name = parts[part]
        if (name !== undefined) await checkpoint.read(name, first * bytes[part], into)
        return into
      }
      const weight = await read('weight')
      const source = { weight, scales: await read('scales'), biases: await read('biases') }
      const values = format.decode(source, count, columns)
      yield bf16.encode(values, count, columns).weight
    }
  }
}
