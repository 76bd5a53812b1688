/** `illuminator models` against a fake models folder. */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EngineError } from '../../engine/errors.ts'
import { run, start } from '../../test/cli-terminal.ts'
import type { Hub } from '../open-engine.ts'

describe('models', () => {
  test('list, info and remove', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'illuminator-'))
    const config = { architectures: ['LlamaForCausalLM'], num_hidden_layers: 30 }
    await writeFile(join(folder, 'config.json'), JSON.stringify(config))
    const facts = { architecture: null, weights: 'bf16', contextLength: 2048 }
    const stored = { id: 'a/b', folder, bytes: 2e6, ...facts }
    const resolved: unknown[] = []
    const hub: Partial<Hub> = {
      listModels: async () => [stored],
      async resolveModel(id, options) {
        resolved.push(options)
        return { id, folder, source: 'models folder' }
      },
    }
    expect((await run(['models', 'list'], { hub })).stdout).toContain('a/b      2.0 MB')
    const listed = await run(['models', 'ls', '--json'], { hub })
    expect(JSON.parse(listed.stdout)).toEqual([stored])
    const info = await run(['models', 'info', 'a/b', '--json'], { hub })
    expect(JSON.parse(info.stdout)).toMatchObject({
      architecture: 'LlamaForCausalLM',
      layers: 30,
      heads: null,
      weights: 'bf16',
      bytes: 2e6,
    })
    expect(resolved).toEqual([{ offline: true }])
    expect((await run(['models', 'info', 'a/b'], { hub })).stdout).toMatch(/heads +unknown/)
    const removed = await run(['models', 'rm', 'a/b'], { hub })
    expect(removed).toMatchObject({ code: 0, stderr: 'Removed /models/a/b (2.0 MB).\n' })
    const told = await run(['models', 'remove', 'a/b', '--json'], { hub })
    expect(JSON.parse(told.stdout)).toEqual({ folder: '/models/a/b', bytes: 2e6 })
    expect((await run(['models', 'list'])).stderr).toContain('models download')
  })

  test('an error of several lines is printed as one', async () => {
    const lines = 'Not found. Tried:\n  - here\n  - there'
    const { code, stderr } = await run(['models', 'download', 'a/b'], {
      hub: { resolveModel: () => Promise.reject(new EngineError('model_not_found', lines)) },
    })
    expect(code).toBe(1)
    expect(stderr).toBe('illuminator: Not found. Tried: - here - there\n')
  })

  test('download reports progress and prints the folder', async () => {
    const { code, stdout, stderr } = await run(['models', 'download', 'a/b'], {
      hub: {
        async resolveModel(model, options) {
          for (let done = 0; done <= 10; done++) {
            const file = 'model.safetensors'
            options?.onProgress?.({
              phase: 'download',
              file,
              done: done * 1e6,
              total: 1e7,
              source: 'hub',
            })
          }
          return { id: model, folder: `/models/${model}`, source: 'hub' }
        },
      },
    })
    expect({ code, stdout }).toEqual({ code: 0, stdout: '/models/a/b\n' })
    expect(stderr.trim().split('\n')).toHaveLength(6)
  })

  test('download --json, and info, say which commit it is', async () => {
    const commit = 'c'.repeat(40)
    const folder = await mkdtemp(join(tmpdir(), 'illuminator-'))
    await writeFile(join(folder, 'config.json'), '{}')
    const origin = { source: 'hub', revision: 'v1', commit, fetched: '2026-11-26T10:00:00.000Z' }
    const hub: Partial<Hub> = {
      resolveModel: async (id) => ({ id, folder, source: 'models folder' }),
      readOrigin: async () => origin,
    }
    const { stdout } = await run(['models', 'download', 'a/b@v1', '--json'], { hub })
    const facts = { id: 'a/b@v1', folder, source: 'models folder', revision: 'v1', commit }
    expect(JSON.parse(stdout)).toEqual(facts)
    const info = await run(['models', 'info', 'a/b@v1', '--json'], { hub })
    expect(JSON.parse(info.stdout)).toMatchObject(origin)
  })

  test('Ctrl-C during a download ends with 130', async () => {
    const started = start(['models', 'download'], {
      hub: {
        resolveModel: (_, options) =>
          new Promise((_resolve, reject) => {
            options?.signal?.addEventListener('abort', () => reject(new Error('cut')))
          }),
      },
    })
    await expect.poll(() => started.handlers.size).toBe(1)
    started.interrupt()
    expect(await started.done).toBe(130)
  })
})
