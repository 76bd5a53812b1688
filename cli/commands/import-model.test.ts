/** `illuminator models import` against fakes; `engine/import-gguf.test.ts` has the folders. */
import { describe, expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import { run, start } from '../../test/cli-terminal.ts'
import type { Parts } from '../open-engine.ts'

describe('models import', () => {
  test('prints the folder; what became of the tensors, and what is to know, goes to stderr', async () => {
    const calls: unknown[] = []
    const importGguf: Parts['importGguf'] = async (source, options = {}) => {
      calls.push([source, { ...options, signal: undefined, onProgress: undefined }])
      options.onProgress?.({ phase: 'import', done: 5e6, total: 1e7 })
      return {
        ...{ id: 'me/m', source, folder: '/models/me/m', architecture: 'LlamaForCausalLM' },
        ...{ weights: 'affine-8bit/32', sourceBytes: 1e7, bytes: 12e6, warnings: ['It rounds.'] },
      }
    }
    const line = ['models', 'import', './m.gguf', 'me/m', '--tokenizer', './t', '--force']
    const { code, stdout, stderr } = await run(line, { parts: { importGguf } })
    expect({ code, stdout }).toEqual({ code: 0, stdout: '/models/me/m\n' })
    expect(stderr).toContain('Importing weights: 50% of 10.0 MB')
    expect(stderr).toContain('Note: It rounds.')
    expect(stderr).toContain(
      'me/m: LlamaForCausalLM, affine-8bit/32; 10.0 MB of tensors became 12.0',
    )
    expect(calls).toEqual([['./m.gguf', { force: true, target: 'me/m', tokenizer: './t' }]])
  })

  test('--json has the facts; without a target the engine chooses one', async () => {
    const { code, stdout } = await run(['models', 'import', 'm.gguf', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ id: 'imported', source: 'm.gguf', warnings: [] })
  })

  test('what the engine refuses is said, and Ctrl-C stops it', async () => {
    const refused = await run(['models', 'import', 'm.gguf'], {
      parts: { importGguf: () => Promise.reject(new EngineError('model', 'm.gguf is broken')) },
    })
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('m.gguf is broken')
    const importGguf: Parts['importGguf'] = (_, options = {}) =>
      new Promise((_resolve, reject) => {
        options.signal?.addEventListener('abort', () => reject(new Error('stopped')))
      })
    const started = start(['models', 'import', 'm.gguf'], { parts: { importGguf } })
    await expect.poll(() => started.handlers.size).toBe(1)
    started.interrupt()
    expect(await started.done).toBe(130)
  })
})
