/** Writes the BF16 form of an MLX affine folder: w = scale * q + bias, rounded to nearest-even BF16. */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openCheckpoint } from '../engine/weights/checkpoint.ts'
import { encodeSafetensors, type FixtureTensor } from '../engine/weights/fixture.ts'
import { formatOf } from '../kernels/index.ts'

/** `source` is an affine folder with F16 scales and group 32; `target` is made. */
export async function expandBf16(source: string, target: string): Promise<void> {
  mkdirSync(target, { recursive: true })
  for (const file of readdirSync(source)) {
    if (!['model.safetensors', 'config.json'].includes(file))
      cpSync(join(source, file), join(target, file))
  }
  const config = JSON.parse(readFileSync(join(source, 'config.json'), 'utf8')) as Record<
    string,
    unknown
  >
  const { quantization: _, quantization_config: __, ...plain } = config
  writeFileSync(join(target, 'config.json'), JSON.stringify({ ...plain, torch_dtype: 'bfloat16' }))
  const checkpoint = await openCheckpoint(source)
  const tensors: Record<string, FixtureTensor> = {}
  for (const name of checkpoint.names()) {
    if (/\.(scales|biases)$/.test(name)) continue
    const { values, shape } = await decoded(checkpoint, name)
    const { weight } = formatOf('bf16').encode(values, 1, values.length)
    tensors[name] = { dtype: 'BF16', shape, data: weight }
  }
  await checkpoint.close()
  writeFileSync(join(target, 'model.safetensors'), encodeSafetensors(tensors))
}

type Source = Awaited<ReturnType<typeof openCheckpoint>>

async function decoded(
  checkpoint: Source,
  name: string,
): Promise<{ values: Float32Array; shape: number[] }> {
  const weight = await checkpoint.readAll(name)
  const { dtype, shape } = checkpoint.info(name)
  const module = name.replace(/\.weight$/, '')
  if (!checkpoint.has(`${module}.scales`)) {
    const count = shape.reduce((product, size) => product * size, 1)
    return { values: formatOf(dtype.toLowerCase()).decode({ weight }, 1, count), shape: [...shape] }
  }
  const [rows = 0, words = 0] = shape
  const groups = checkpoint.info(`${module}.scales`).shape[1] ?? 0
  const bits = (words * 32) / (groups * 32)
  const scales = await checkpoint.readAll(`${module}.scales`)
  const biases = await checkpoint.readAll(`${module}.biases`)
  const columns = groups * 32
  const format = formatOf(`affine${bits}/32/f16`)
  return {
    values: format.decode({ weight, scales, biases }, rows, columns),
    shape: [rows, columns],
  }
}
