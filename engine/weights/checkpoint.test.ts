/** A right folder reads the same whole or sharded; every way a folder can be wrong has its own clear refusal. */
import { existsSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { EngineError, type ErrorCode } from '../errors.ts'
import { openCheckpoint } from './checkpoint.ts'
import { encodeSafetensors, removeFolder, writeFolder, zeros } from './fixture.ts'

const made: string[] = []
afterEach(async () => {
  for (const folder of made.splice(0)) await removeFolder(folder)
})

async function folderOf(files: Record<string, unknown>): Promise<string> {
  const folder = await writeFolder(files)
  made.push(folder)
  return folder
}

async function refusal(folder: string, code: ErrorCode = 'model'): Promise<string> {
  const error: unknown = await openCheckpoint(folder).then(
    (checkpoint) => checkpoint.close(),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(EngineError)
  expect((error as EngineError).code).toBe(code)
  expect((error as EngineError).message).toContain(folder)
  return (error as EngineError).message
}

const INDEX = 'model.safetensors.index.json'
const one = encodeSafetensors({
  'a.weight': { ...zeros('F32', 2), data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
})
const two = encodeSafetensors({ 'b.weight': zeros('F16', 2, 3), 'b.bias': zeros('F16', 2) })
const weightMap = {
  'a.weight': 'one.safetensors',
  'b.weight': 'two.safetensors',
  'b.bias': 'two.safetensors',
}
const sharded = (changes: Record<string, unknown> = {}) => ({
  'config.json': { model_type: 'llama' },
  [INDEX]: { metadata: {}, weight_map: weightMap },
  'one.safetensors': one,
  'two.safetensors': two,
  ...changes,
})
const mapped = (changes: object) =>
  sharded({ [INDEX]: { weight_map: { ...weightMap, ...changes } } })

describe('a right folder', () => {
  it('reads a single file', async () => {
    const folder = await folderOf({
      'config.json': { model_type: 'llama' },
      'generation_config.json': { eos_token_id: 2 },
      'model.safetensors': one,
      'pytorch_model.bin': 'never opened',
    })
    const checkpoint = await openCheckpoint(folder)
    expect(checkpoint.config).toEqual({ model_type: 'llama' })
    expect(checkpoint.generationConfig).toEqual({ eos_token_id: 2 })
    expect(checkpoint.names()).toEqual(['a.weight'])
    expect(checkpoint.bytes).toBe(8)
    expect(checkpoint.has('a.weight')).toBe(true)
    expect(checkpoint.has('b.weight')).toBe(false)
    expect(await checkpoint.readAll('a.weight')).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))
    const middle = new Uint8Array(3)
    await checkpoint.read('a.weight', 4, middle)
    expect(middle).toEqual(Uint8Array.of(5, 6, 7))
    await checkpoint.close()
  })

  it('reads shards', async () => {
    const checkpoint = await openCheckpoint(await folderOf(sharded()))
    expect(checkpoint.generationConfig).toEqual({})
    expect(checkpoint.names()).toEqual(['a.weight', 'b.weight', 'b.bias'])
    expect(checkpoint.bytes).toBe(8 + 12 + 4)
    expect(checkpoint.info('b.weight')).toMatchObject({ dtype: 'F16', shape: [2, 3] })
    expect((await checkpoint.readAll('b.bias')).length).toBe(4)
    await checkpoint.close()
  })

  it('names a missing tensor, the folder, and what is near', async () => {
    const folder = await folderOf(sharded())
    const checkpoint = await openCheckpoint(folder)
    expect(() => checkpoint.info('b.weigth')).toThrow(
      `${folder}: tensor "b.weigth" is missing; the nearest there are: "b.weight"`,
    )
    await expect(checkpoint.readAll('c')).rejects.toThrow('tensor "c" is missing')
    await checkpoint.close()
  })
})

/** What is wrong → the folder, and what the message must say. */
const REFUSED: Record<string, [Record<string, unknown>, ...string[]]> = {
  empty: [{}, 'no weights', 'Expected model.safetensors'],
  'no config': [{ 'model.safetensors': one }, 'config.json is missing'],
  'config not JSON': [
    { 'config.json': '{"a":', 'model.safetensors': one },
    'config.json: not valid JSON',
  ],
  'config not an object': [
    { 'config.json': '[1]', 'model.safetensors': one },
    'config.json: holds [1], expected',
  ],
  'config not UTF-8': [
    { 'config.json': Uint8Array.of(0x22, 0xff, 0x22), 'model.safetensors': one },
    'not valid UTF-8',
  ],
  'config with a key twice': [
    { 'config.json': '{"a":1,"a":2}', 'model.safetensors': one },
    '"a" appears twice',
  ],
  'generation config broken': [
    { 'config.json': {}, 'generation_config.json': 'x', 'model.safetensors': one },
    'generation_config.json: not valid JSON',
  ],
  'weights truncated': [
    { 'config.json': {}, 'model.safetensors': one.subarray(0, -1) },
    'model.safetensors: tensor "a.weight"',
    'truncated',
  ],
  'only a pickle': [
    { 'config.json': {}, 'pytorch_model.bin': 'x' },
    'pytorch_model.bin is a pickle',
    'save_pretrained',
  ],
  'only a .pt': [{ 'model.PT': 'x' }, 'is a pickle'],
  'only GGUF': [{ 'm.Q4_1.gguf': 'x' }, 'm.Q4_1.gguf is GGUF', 'safetensors folder'],
  'other safetensors names': [
    { 'config.json': {}, 'net.safetensors': one },
    'found net.safetensors',
    'rename',
  ],
  'index not JSON': [sharded({ [INDEX]: '{' }), INDEX, 'not valid JSON'],
  'index without a map': [sharded({ [INDEX]: { metadata: {} } }), 'weight_map is missing'],
  'index empty': [sharded({ [INDEX]: { weight_map: {} } }), 'names no tensors'],
  'index with a tensor twice': [
    sharded({
      [INDEX]: '{"weight_map":{"a.weight":"one.safetensors","a.weight":"two.safetensors"}}',
    }),
    '"a.weight" appears twice',
  ],
  'index naming a number': [mapped({ x: 5 }), 'tensor "x" is put in 5'],
  'index climbing out': [
    mapped({ x: '../one.safetensors' }),
    '"../one.safetensors"',
    'inside the folder',
  ],
  'index climbing out within': [mapped({ x: 'a/../../one.safetensors' }), 'inside the folder'],
  'index with a root': [mapped({ x: '/etc/one.safetensors' }), 'inside the folder'],
  'index with backslashes': [mapped({ x: '..\\one.safetensors' }), 'inside the folder'],
  'index naming a pickle': [
    mapped({ x: 'pytorch_model.bin' }),
    'expected the name of a .safetensors',
  ],
  'shard missing': [
    mapped({ x: 'three.safetensors' }),
    'shard "three.safetensors" is missing',
    '"x"',
  ],
  'tensor not in its shard': [
    mapped({ x: 'one.safetensors' }),
    '"x" in one.safetensors, which does not have it',
  ],
  'tensor in two shards': [
    {
      ...mapped({ c: 'three.safetensors' }),
      'three.safetensors': encodeSafetensors({ c: zeros('F32', 1), 'a.weight': zeros('F32', 2) }),
    },
    'tensor "a.weight" is in two files, one.safetensors and three.safetensors',
  ],
}
describe('a broken folder', () => {
  for (const [kind, [files, ...reasons]] of Object.entries(REFUSED)) {
    it(`is refused: ${kind}`, async () => {
      const message = await refusal(await folderOf(files))
      for (const reason of reasons) expect(message).toContain(reason)
    })
  }

  it('is refused: not there, or a file', async () => {
    const folder = await folderOf({ 'model.safetensors': one, 'x.gguf': 'x', 'model.pt': 'x' })
    expect(await refusal(`${folder}/none`, 'model_not_found')).toContain('no such model folder')
    expect(await refusal(`${folder}/model.safetensors`)).toContain('name its folder')
    await expect(openCheckpoint(`${folder}/x.gguf`)).rejects.toThrow('x.gguf is GGUF')
    await expect(openCheckpoint(`${folder}/model.pt`)).rejects.toThrow('model.pt is a pickle')
  })

  it('leaves no file open', async () => {
    if (!existsSync('/proc/self/fd')) return console.warn('not checked: no /proc here')
    const { readdirSync, readlinkSync } = await import('node:fs')
    const folder = await folderOf(mapped({ x: 'one.safetensors' }))
    await refusal(folder)
    const open = readdirSync('/proc/self/fd').filter((fd) => {
      const link = `/proc/self/fd/${fd}`
      return existsSync(link) && readlinkSync(link).startsWith(folder)
    })
    expect(open).toEqual([])
  })
})
