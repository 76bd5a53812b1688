/** Colours are for terminals whose owner wants them; what is read is read whole. */
import { PassThrough, Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { readAll, stderrColors } from './io.ts'

test.each([
  [true, {}, true],
  [true, { NO_COLOR: '1' }, false],
  [true, { NO_COLOR: '' }, true],
  [false, {}, false],
])('on a terminal: %s, with %j: colours %s', (isTTY, env, wanted) => {
  const stderr = Object.assign(new PassThrough(), { isTTY })
  const { stdin, stdout } = process
  const colors = stderrColors({ stdin, stdout, stderr, env, onInterrupt: () => () => {} })
  expect(colors.dim('x') !== 'x').toBe(wanted)
})

test('characters that come in parts are whole again, the last line break is the shell’s', async () => {
  const bytes = Buffer.from('a 💡\nb\r\n')
  const parts = [...bytes].map((byte) => Buffer.of(byte))
  expect(await readAll(Readable.from(parts, { objectMode: false }))).toBe('a 💡\nb')
})
