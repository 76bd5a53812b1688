/** `importGguf`: where the folder lies, when it appears, what is in it, and what is refused. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { EngineError } from './errors.ts'
import { llama, tensor } from './gguf/small-llama-fixture.ts'
import { listModels } from './hub/index.ts'
import { importGguf } from './import-gguf.ts'
import { encodeGguf, type FixtureGguf } from './weights/gguf-fixture.ts'

let root = ''
let modelsFolder = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'illuminator-import-gguf-'))
  modelsFolder = join(root, 'models')
})
afterAll(() => rm(root, { recursive: true }))

async function put(name: string, file: FixtureGguf | Uint8Array = llama()): Promise<string> {
  const path = join(root, name)
  await writeFile(path, file instanceof Uint8Array ? file : encodeGguf(file))
  return path
}

it('is listed under the name of its file, with facts, origin and tokenizer', async () => {
  const told: number[] = []
  const path = await put('My Model-Q4_1.gguf')
  const imported = await importGguf(path, {
    modelsFolder,
    onProgress: ({ done, total }) => told.push(done / total),
  })
  expect(imported).toMatchObject({
    id: 'My-Model-Q4_1',
    source: path,
    architecture: 'LlamaForCausalLM',
    weights: 'affine-4bit/32',
  })
  expect(told.at(-1)).toBe(1)
  const [listed] = await listModels(modelsFolder)
  expect(listed).toMatchObject({ id: 'My-Model-Q4_1', weights: 'affine-4bit/32' })
  expect((await readdir(imported.folder)).sort()).toEqual([
    'config.json',
    'generation_config.json',
    'illuminator.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
  ])
})

it('takes an id, a path, and of a split file any part; several weight files where they are large', async () => {
  const { metadata, tensors } = llama()
  const split = (no: number): FixtureGguf => ({
    metadata: [...(no === 0 ? (metadata ?? []) : []), ['split.count', 2, 2]],
    tensors: tensors.filter((_, i) => i % 2 === no),
  })
  await put('s-00001-of-00002.gguf', split(0))
  const second = await put('s-00002-of-00002.gguf', split(1))
  const { folder } = await importGguf(second, { modelsFolder, target: 'me/s' })
  expect(folder).toBe(join(modelsFolder, 'me', 's'))
  const whole = await importGguf(await put('s.gguf'), { target: join(root, 'there') })
  const weights = (at: string) => readFile(join(at, 'model.safetensors'))
  expect(await weights(folder)).toEqual(await weights(whole.folder))
  const many = await importGguf(second, { target: join(root, 'many'), shardBytes: 2000 })
  expect((await readdir(many.folder)).filter((name) => name.endsWith('.safetensors')).length).toBe(
    4,
  )
  await rm(second)
  await expect(importGguf(join(root, 's-00001-of-00002.gguf'), { modelsFolder })).rejects.toThrow(
    /s-00002-of-00002.gguf: cannot be read/,
  )
})

it('says what rounds, and takes another tokenizer instead', async () => {
  const file = llama()
  const wide = { ...tensor('output.weight', 'F32', 32, 5) }
  const q6 = {
    name: 'blk.0.ffn_down.weight',
    shape: [256, 32],
    type: 14,
    data: new Uint8Array(32 * 210),
  }
  const metadata = (file.metadata ?? []).map((key) =>
    key[0] === 'llama.feed_forward_length' ? (['llama.feed_forward_length', 4, 256] as const) : key,
  )
  const others = file.tensors.filter(({ name }) => !name.includes('ffn_down'))
  const tensors = others.map((each) =>
    /ffn_(gate|up)/.test(each.name) ? tensor(each.name, 'Q4_1', 32, 256) : each,
  )
  const path = await put('q6.gguf', { metadata, tensors: [...tensors, q6, wide] })
  await mkdir(join(root, 'tokenizer'))
  await writeFile(join(root, 'tokenizer', 'tokenizer.json'), '{"mine":1}')
  const options = { modelsFolder, tokenizer: join(root, 'tokenizer') }
  const { warnings, folder } = await importGguf(path, options)
  expect(warnings).toEqual([expect.stringMatching(/quantized anew.*: 1 of Q6_K\./)])
  expect(await readFile(join(folder, 'tokenizer.json'), 'utf8')).toBe('{"mine":1}')
  const none = importGguf(path, { modelsFolder, target: 'x', tokenizer: root })
  await expect(none).rejects.toMatchObject({ code: 'bad_request', param: 'tokenizer' })
})

it('never takes the place of another model unasked, and leaves nothing behind when it fails', async () => {
  const path = await put('again.gguf')
  await importGguf(path, { modelsFolder, target: 'me/again' })
  const again = importGguf(path, { modelsFolder, target: 'me/again' })
  await expect(again).rejects.toMatchObject({ code: 'bad_request', param: 'target' })
  await importGguf(path, { modelsFolder, target: 'me/again', force: true })
  const aborted = importGguf(path, { modelsFolder, target: 'me/not', signal: AbortSignal.abort() })
  await expect(aborted).rejects.toMatchObject({ code: 'aborted' })
  expect((await readdir(join(modelsFolder, 'me'))).sort()).toEqual(['again', 's'])
})

it('is an EngineError for whatever byte is cut or changed, or a model', async () => {
  const right = encodeGguf(llama())
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: right.length - 1 }),
      fc.nat({ max: 255 }),
      fc.boolean(),
      async (at, value, isCut) => {
        const path = await put('fuzz.gguf', isCut ? right.slice(0, at) : right.with(at, value))
        const target = join(root, 'fuzz')
        const result = await importGguf(path, { target, force: true }).catch(
          (error: unknown) => error,
        )
        if (!(result instanceof Error)) return
        expect(result).toBeInstanceOf(EngineError)
        expect(['model', 'bad_request']).toContain((result as EngineError).code)
      },
    ),
    { numRuns: 150 },
  )
})
