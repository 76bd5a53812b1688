import { expect, it } from 'vitest'
import { Engine } from '../index.ts'
import { workerFlags } from './host-side.ts'

it('refuses a model that is no text where it came in, by its name', async () => {
  const wrong = { model: './my-model' } as unknown as string
  await expect(Engine.load(wrong)).rejects.toMatchObject({ code: 'bad_request', param: 'model' })
})

it("hands Node's flags on to the worker, and of a program on the command line only what loads modules", () => {
  expect(workerFlags(['--max-old-space-size=4096', '--import', './run.mjs'])).toEqual({})
  const loading = ['--import', './run.mjs', '-r', 'x', '--conditions=dev']
  const others = ['--expose-gc', '--input-type', 'module', '-e', 'again()']
  expect(workerFlags([...loading, ...others])).toEqual({ execArgv: loading })
  expect(workerFlags(['--input-type=module'])).toEqual({ execArgv: [] })
})
