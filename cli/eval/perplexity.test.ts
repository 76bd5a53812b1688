import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { run } from '../../test/cli-terminal.ts'
import { perplexityOf } from './perplexity.ts'

const VOCABULARY = 17

/** Logits that depend on the last few ids only, as a model with so long a memory. */
function engineOf(memory: number) {
  const seen: number[] = []
  const rowAfter = (ids: readonly number[]): Float32Array => {
    const hash = ids.slice(-memory).reduce((sum, id, at) => (sum * 31 + id + at) % 997, 7)
    return Float32Array.from({ length: VOCABULARY }, (_, id) => Math.sin(hash * (id + 1)) * 3)
  }
  return {
    seen,
    rowAfter,
    async logits(ids: readonly number[]) {
      seen.push(ids.length)
      const all = ids.map((_, at) => rowAfter(ids.slice(0, at + 1)))
      return { last: all.at(-1) as Float32Array, all, greedy: [] }
    },
  }
}

test('equal logits are as perplexed as there are tokens', async () => {
  const row = new Float32Array(VOCABULARY).fill(-5)
  const engine = {
    logits: async (ids: readonly number[]) => ({ last: row, all: ids.map(() => row), greedy: [] }),
  }
  const { tokens, perplexity } = await perplexityOf(engine, Array<number>(100).fill(3), {
    window: 10,
    stride: 5,
  })
  expect(tokens).toBe(99)
  expect(perplexity).toBeCloseTo(VOCABULARY, 6)
})

test('whatever the windows, every token is scored once, as one window over all would, where the memory is short enough', async () => {
  const cases = fc.record({
    ids: fc.array(fc.nat(VOCABULARY - 1), { minLength: 2, maxLength: 60 }),
    window: fc.integer({ min: 4, max: 20 }),
    part: fc.integer({ min: 1, max: 100 }),
  })
  await fc.assert(
    fc.asyncProperty(cases, async ({ ids, window, part }) => {
      const stride = 1 + Math.floor((part * (window - 2)) / 101)
      // What is scored after the first window has at least so many tokens before it.
      const engine = engineOf(window - stride)
      const found = await perplexityOf(engine, ids, { window, stride })
      let loss = 0
      for (let at = 1; at < ids.length; at++) {
        const row = engine.rowAfter(ids.slice(0, at))
        const norm = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0))
        loss += (norm - (row[ids[at] as number] as number)) / (ids.length - 1)
      }
      expect(found.tokens).toBe(ids.length - 1)
      expect(found.loss).toBeCloseTo(loss, 9)
      expect(Math.max(...engine.seen)).toBeLessThanOrEqual(window)
    }),
  )
})

test('a text of one token has nothing to foretell, and a broken logit is told', async () => {
  const options = { window: 4, stride: 2 }
  await expect(perplexityOf(engineOf(1), [3], options)).rejects.toThrow('fewer than two tokens')
  const row = new Float32Array(4).fill(Number.NaN)
  const broken = {
    logits: async (ids: readonly number[]) => ({ last: row, all: ids.map(() => row), greedy: [] }),
  }
  await expect(perplexityOf(broken, [1, 2], options)).rejects.toThrow('a kernel is at fault')
})

const file = (content: string | Uint8Array): string => {
  const path = join(mkdtempSync(join(tmpdir(), 'illuminator-eval-')), 'text.txt')
  writeFileSync(path, content)
  return path
}

test('the command prints one line, or JSON; progress goes to stderr', async () => {
  // The fake engine has three ids, and says the same logits everywhere.
  const path = file('\u0000\u0001\u0002\u0001')
  const asked = ['eval', 'perplexity', './m', path]
  const { code, stdout, stderr } = await run(asked)
  expect({ code, stderr }).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('3 of 3 tokens'),
  })
  const norm = Math.exp(0.1) + Math.exp(-2) + Math.exp(3)
  const expected = Math.exp((2 * (Math.log(norm) + 2) + (Math.log(norm) - 3)) / 3)
  expect(stdout).toContain(`perplexity ${expected.toFixed(4)} over 3 tokens`)
  const json = JSON.parse((await run([...asked, '--json'])).stdout) as object
  expect(json).toMatchObject({ model: 'fake/tiny-1', tokens: 3, window: 512, stride: 256 })
})

test.each([
  [['eval', 'perplexity', './m', '/nowhere.txt'], 'cannot be read'],
  [['eval', 'perplexity', './m', file(Uint8Array.of(0xff))], 'cannot be read as text'],
  [
    ['eval', 'perplexity', './m', file('abc'), '--window', '8', '--stride', '8'],
    'below --window, 8',
  ],
  [['eval', 'perplexity', './m', file('abc'), '--window', '9999'], 'at most the context, 2048'],
])('%j is a usage error', async (args, message) => {
  const { code, stderr } = await run(args)
  expect(code).toBe(2)
  expect(stderr).toContain(message)
})
