/** `bench` hands everything to the benchmarks, and ends as they do. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { run, start } from '../../test/cli-terminal.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

test.each([
  [[]],
  [['--help']],
  [['kernels', '--only', 'linear', '--repeats', '3']],
  [['--full', 'model', '--model', '-x']],
])('%j is theirs', async (args) => {
  const asked: unknown[] = []
  const bench = async (given: readonly string[]) => {
    asked.push(given)
    return 0
  }
  expect((await run(['bench', ...args], { parts: { bench } })).code).toBe(0)
  expect(asked).toEqual([args])
})

test('a failure ends with 1, Ctrl-C with 130 once they have ended', async () => {
  const failed = await run(['bench'], { parts: { bench: async () => 3 } })
  expect(failed).toMatchObject({ code: 1, stdout: '' })
  let end = (_: number) => {}
  const bench = () =>
    new Promise<number>((resolve) => {
      end = resolve
    })
  const started = start(['bench'], { parts: { bench } })
  await expect.poll(() => started.handlers.size).toBe(1)
  started.interrupt()
  end(1)
  expect(await started.done).toBe(130)
})

test('they are there, and say what they are', async () => {
  const args = ['--import', './test/run-typescript.mjs', 'cli/main.ts', 'bench', '--help']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT })
  expect(stdout).toMatch(/^Usage: bench [\s\S]*\bkernels\b[\s\S]*\bmodel\b[\s\S]*\breport\b/)
}, 120_000)
