/** `illuminator models quantize` and `--quantize` of every command, against fakes; the engine's own test has the weights. */
import { describe, expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import { run, start } from '../../test/cli-terminal.ts'
import type { Parts } from '../open-engine.ts'

describe('models quantize', () => {
  test('prints the folder; what became of the weights, and how far it is, goes to stderr', async () => {
    const calls: unknown[] = []
    const quantizeModel: Parts['quantizeModel'] = async (source, folder, options = {}) => {
      calls.push([source, folder, { ...options, signal: undefined, onProgress: undefined }])
      options.onProgress?.({ phase: 'quantize', done: 5e6, total: 1e7 })
      return { id: 'b', source, folder, weights: 'affine-4bit/64', sourceBytes: 1e7, bytes: 3e6 }
    }
    const line = ['models', 'quantize', 'a/b', './out', '--to', 'int4/64', '--force']
    const { code, stdout, stderr } = await run(line, { parts: { quantizeModel } })
    expect({ code, stdout }).toEqual({ code: 0, stdout: './out\n' })
    expect(stderr).toContain('Quantizing weights: 50% of 10.0 MB')
    expect(stderr).toContain('affine-4bit/64: 10.0 MB of weights became 3.0 MB')
    expect(calls).toEqual([['a/b', './out', { quantize: 'int4/64', force: true }]])
  })

  test('4 bits and no force unless told; --json has the facts', async () => {
    const { code, stdout } = await run(['models', 'quantize', 'a/b', 'out', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      id: 'a/b',
      source: '/models/a/b',
      folder: 'out',
      weights: 'affine-int4',
      sourceBytes: 4e6,
      bytes: 1e6,
    })
  })

  test('a wrong type is a usage error that lists the right ones; what the engine refuses is said', async () => {
    const wrong = await run(['models', 'quantize', 'a', 'b', '--to', 'int5'])
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toContain('int8, int4, int8/32')
    const refused = await run(['models', 'quantize', 'a', 'b'], {
      parts: {
        quantizeModel: () => Promise.reject(new EngineError('bad_request', '/b is there already')),
      },
    })
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('/b is there already')
    expect(refused.stdout).toBe('')
  })

  test('Ctrl-C stops it', async () => {
    const quantizeModel: Parts['quantizeModel'] = (_, __, options = {}) =>
      new Promise((_resolve, reject) => {
        options.signal?.addEventListener('abort', () => reject(new Error('stopped')))
      })
    const started = start(['models', 'quantize', 'a', 'b'], { parts: { quantizeModel } })
    await expect.poll(() => started.handlers.size).toBe(1)
    started.interrupt()
    expect(await started.done).toBe(130)
  })
})

test.each([
  ['generate', 'hello', '--quantize', 'int8'],
  ['run', 'a/b', 'hello', '--quantize', 'int8'],
  ['logits', 'a/b', '--ids', '1,2', '--quantize', 'int8'],
])('%s loads the model with it', async (...line) => {
  const { loads } = await run(line)
  expect(loads).toMatchObject([{ options: { quantize: 'int8' } }])
})

test('a type that there is not is refused before anything loads', async () => {
  const { code, stderr, loads } = await run(['generate', 'hello', '--quantize', '4'])
  expect({ code, loads }).toEqual({ code: 2, loads: [] })
  expect(stderr).toContain('Allowed choices are int8, int4')
})
