/** `serve` sends traces where OpenTelemetry's variables say so, and its log names them. */
import { afterEach, expect, test } from 'vitest'
import { start } from '../../test/cli-terminal.ts'
import { closeTraced, collecting, type LogLine, SOON } from '../../test/traced-server.ts'

afterEach(closeTraced)

test('a signal ends it once the last spans are out; lines of the log have their ids', async () => {
  const collector = await collecting({ OTEL_BSP_SCHEDULE_DELAY: '600000' })
  const env = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      name.startsWith('OTEL_') && value !== undefined ? [[name, value]] : [],
    ),
  )
  const { done, err, out } = start(['serve', '--port', '0'], { env })
  await expect.poll(out, SOON).toContain('curl -N')
  await expect.poll(err, SOON).toContain('traces are sent')
  const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(out()) ?? []
  await fetch(`${url}/generate`, { method: 'POST', body: '{"prompt":"x"}' })
  expect(collector.arrivals).toEqual([])
  process.emit('SIGTERM', 'SIGTERM')
  expect(await done).toBe(0)
  const spans = collector.spans()
  expect(spans.map(({ name }) => name).sort()).toEqual([
    'POST /generate',
    'text_completion fake/tiny-1',
  ])
  const lines = err()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine)
  expect(lines.find(({ msg }) => msg === 'POST /generate 200')?.trace_id).toBe(spans[0]?.traceId)
})
