/** Which models `serve` has, from its flags. */
import { expect, test } from 'vitest'
import { run } from '../test/cli-terminal.ts'
import { serving } from '../test/serving.ts'

const listed = (id: string) => ({
  id,
  folder: `/models/${id}`,
  bytes: 2e6,
  architecture: 'LlamaForCausalLM',
  weights: 'bf16',
  contextLength: 512,
})

test('several --model are loaded at the start, in order, and also as a list of the variable', async () => {
  const { loads, out } = await serving(['--model', 'lab/a', '--model', 'lab/b'])
  expect(loads.map(({ model }) => model)).toEqual(['lab/a', 'lab/b'])
  expect(out().match(/^Ready: /gm)).toHaveLength(2)
  const env = { ILLUMINATOR_MODEL: 'lab/c,lab/d' }
  const named = await serving([], { env })
  expect(named.loads.map(({ model }) => model)).toEqual(['lab/c', 'lab/d'])
})

test('--on-demand lists the models folder, and loads with the same flags when asked', async () => {
  const hub = { listModels: async () => [listed('lab/a'), listed('lab/b')] }
  const { loads, err, out } = await serving(
    ['--on-demand', '--kv', 'int8', '--models-folder', '/somewhere'],
    { hub },
    async (url) => {
      const { data } = (await (await fetch(`${url}/v1/models`)).json()) as {
        data: { id: string }[]
      }
      expect(data.map(({ id }) => id)).toEqual(['lab/a', 'lab/b'])
      const body = JSON.stringify({ model: 'lab/b', prompt: 'x' })
      expect((await fetch(`${url}/generate`, { method: 'POST', body })).status).toBe(200)
    },
  )
  expect(out()).toContain('"model":"<id>"')
  expect(loads).toMatchObject([
    { model: 'lab/b', options: { kv: 'int8', modelsFolder: '/somewhere' } },
  ])
  expect(err()).toContain('"msg":"model loaded"')
})

test('--quantize is for floats: --on-demand serves what is quantized already as it is', async () => {
  const packed = { ...listed('lab/b'), weights: 'affine-4bit/32' }
  const hub = { listModels: async () => [listed('lab/a'), packed] }
  const { loads } = await serving(['--on-demand', '--quantize', 'int8'], { hub }, async (url) => {
    for (const model of ['lab/a', 'lab/b']) {
      const body = JSON.stringify({ model, prompt: 'x' })
      expect((await fetch(`${url}/generate`, { method: 'POST', body })).status).toBe(200)
    }
  })
  expect(loads.map(({ model, options }) => [model, options.quantize])).toEqual([
    ['lab/a', 'int8'],
    ['lab/b', undefined],
  ])
})

test.each([
  [['--keep-alive', 'soon'], 'such as 90s, 5m or 1h'],
  [['--memory', '-3'], 'a size such as 2GB'],
  [['--draft', 'x', '--on-demand'], '--draft goes with one --model'],
  [['--draft', 'x', '--model', 'a', '--model', 'b'], '--draft goes with one --model'],
  [['--model', 'a', '--model', 'weights.pt'], 'PyTorch pickle'],
])('serve %j is a usage error before anything loads', async (args, message) => {
  const { code, stderr, loads } = await run(['serve', ...args])
  expect(code).toBe(2)
  expect(stderr).toContain(message)
  expect(loads).toEqual([])
})

test.each(['-1', '0', '30s', '1.5h', '250ms', '9999h'])('--keep-alive %s', async (time) => {
  await serving(['--keep-alive', time])
})
