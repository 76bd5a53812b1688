/** For tests of `serve`: the command from its start to its end, over fakes. */
import { expect } from 'vitest'
import { type Setting, start } from './cli-terminal.ts'

/** Serves until it is ready, lets `use` have the address, and ends it. */
export async function serving(
  args: string[],
  setting: Setting = {},
  use: (url: string) => Promise<void> = async () => {},
) {
  const started = start(['serve', '--port', '0', ...args], setting)
  await expect.poll(started.out).toContain('curl -N')
  await use(/http:\/\/127\.0\.0\.1:\d+/.exec(started.out())?.[0] ?? '')
  process.emit('SIGTERM', 'SIGTERM')
  expect(await started.done).toBe(0)
  return started
}
