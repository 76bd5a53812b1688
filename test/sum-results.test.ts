/** The last line of CI: sums over runs, files that did not load, and reference tests that must not skip in silence. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const script = fileURLToPath(new URL('../scripts/sum-results.mjs', import.meta.url))
const nowhere = join(tmpdir(), 'there-is-no-such-folder')

type Test = [status: 'passed' | 'failed' | 'pending', fullName: string]
const file = (tests: Test[], status = 'passed') => ({
  name: '/nowhere/x.test.ts',
  status,
  assertionResults: tests.map(([status, fullName]) => ({ status, fullName })),
})

function sum(
  reports: (object | string)[],
  shared = nowhere,
  chromium = '',
  failedSteps: string[] = [],
): { status: number | null; lines: string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'results-'))
  try {
    for (const [i, report] of reports.entries()) {
      if (typeof report === 'string') writeFileSync(join(folder, `${i}.xml`), report)
      else if ('0.json' in report) {
        for (const [name, one] of Object.entries(report)) {
          writeFileSync(join(folder, name), JSON.stringify(one))
        }
      } else writeFileSync(join(folder, `${i}.json`), JSON.stringify(report))
    }
    const env = { ...process.env, ILLUMINATOR_SHARED: shared, CHROMIUM: chromium }
    const { status, stdout } = spawnSync(process.execPath, [script, folder, ...failedSteps], {
      encoding: 'utf8',
      env,
    })
    return { status, lines: stdout.trim().split('\n') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const good = {
  testResults: [
    file([
      ['passed', 'a'],
      ['pending', 'b [needs shader-f16]'],
    ]),
  ],
}

it('counts a failed step, lint or the package, as a failure and names it', () => {
  const { status, lines } = sum([good], nowhere, '', ['package'])
  expect(lines).toContain('failed: package')
  expect(lines.at(-1)).toBe('1 passed, 1 failed, 1 skipped')
  expect(status).toBe(1)
})

it('counts what pytest left, too', () => {
  const python = (failures: number) =>
    `<testsuites><testsuite name="pytest" errors="1" failures="${failures}" skipped="2" tests="9"></testsuite></testsuites>`
  expect(sum([good, python(0)]).lines.at(-1)).toBe('7 passed, 1 failed, 3 skipped')
  const { status, lines } = sum([good, python(3)])
  expect(lines.at(-1)).toBe('4 passed, 4 failed, 3 skipped')
  expect(status).toBe(1)
})

it('names what pytest skipped, and fails when that was for want of a folder that is there', () => {
  const python = `<testsuites><testsuite name="pytest" errors="0" failures="0" skipped="1" tests="2"><testcase classname="tests.test_wheel" name="test_real" time="0.1"><skipped type="pytest.skip" message="no model [needs ../shared]">x.py:7</skipped></testcase></testsuite></testsuites>`
  const { status, lines } = sum([python])
  expect(lines).toEqual([
    'skipped: tests.test_wheel: test_real: no model [needs ../shared]',
    '1 passed, 0 failed, 1 skipped',
  ])
  expect(status).toBe(0)
  expect(sum([python], tmpdir()).status).toBe(1)
})

it('sums the runs and ends with one plain line', () => {
  const { status, lines } = sum([good, good])
  expect(status).toBe(0)
  expect(lines.at(-1)).toBe('2 passed, 0 failed, 2 skipped')
  expect(lines[0]).toMatch(/^skipped 2 times: .*b \[needs shader-f16\]$/)
})

it.each([
  [
    'a test failed',
    {
      testResults: [
        file(
          [
            ['passed', 'a'],
            ['failed', 'b'],
          ],
          'failed',
        ),
      ],
    },
  ],
  ['a file did not load', { testResults: [file([['passed', 'a']]), file([], 'failed')] }],
])('fails when %s, and names it last', (_, report) => {
  const { status, lines } = sum([report])
  expect(status).toBe(1)
  expect(lines.at(-1)).toBe('1 passed, 1 failed, 0 skipped')
  expect(lines[0]).toContain('failed: ')
  expect(lines[0]).toContain('nowhere/x.test.ts: ')
})

it('counts what passes in a second run alone, and names it', () => {
  const once = { testResults: [file([['failed', 'a']], 'failed'), file([['passed', 'b']])] }
  const twice = (status: 'passed' | 'failed') => ({ testResults: [file([[status, 'a']], status)] })
  const { status, lines } = sum([{ '0.json': once, '0.again.json': twice('passed') }])
  expect(status).toBe(0)
  expect(lines[0]).toContain('failed beside the others, passed alone: ')
  expect(lines.at(-1)).toBe('2 passed, 0 failed, 0 skipped')
  const again = sum([{ '0.json': once, '0.again.json': twice('failed') }])
  expect(again.status).toBe(1)
  expect(again.lines.at(-1)).toBe('1 passed, 1 failed, 0 skipped')
})

it('fails when vitest left no results', () => {
  expect(sum([good, { crashed: true }])).toMatchObject({ status: 1 })
})

it('fails when a reference test skipped although ../shared is there, not when it is absent', () => {
  const report = {
    testResults: [
      file([
        ['passed', 'a'],
        ['pending', 'b [needs ../shared]'],
      ]),
    ],
  }
  expect(sum([report]).status).toBe(0)
  expect(sum([report], tmpdir()).status).toBe(1)
})

it('fails when a test of a page skipped although there is a browser', () => {
  const report = {
    testResults: [
      file([
        ['passed', 'a'],
        ['pending', 'b [needs chromium]'],
      ]),
    ],
  }
  expect(sum([report]).status).toBe(0)
  expect(sum([report], nowhere, '/usr/bin/chromium').status).toBe(1)
})
