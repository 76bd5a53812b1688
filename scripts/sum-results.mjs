#!/usr/bin/env node
/**
 * Sums vitest's JSON reports and pytest's JUnit ones in a folder into one plain line, `N passed, N failed, N skipped`,
 * and names what was skipped and what failed. Fails when a test failed, when a test over `../shared` skipped although that
 * folder is there, and when a test in a browser skipped although `CHROMIUM` names one. `NAME.again.json` is a second run of
 * the files that failed in `NAME.json`, alone: what passes there is counted as passed, and named. The names after the
 * folder are steps that failed, lint or the package: each counts as a failure.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { root } from './project.mjs'

/** Part of the title of what skips for want of the folder, as in `test/shared-folder.ts`. */
const SHARED_MARK = 'needs ../shared'
const sharedIsThere = existsSync(process.env.ILLUMINATOR_SHARED || resolve(root, '..', 'shared'))

/** Part of the title of what skips for want of a browser, as in `test/chromium.ts`. */
const CHROMIUM_MARK = 'needs chromium'

const counts = { passed: 0, failed: 0, skipped: 0 }
const skipped = new Map()
const wrongly = new Set()
const browserless = new Set()
const failures = []
const onlyAlone = []

const [folder = '.', ...failedSteps] = process.argv.slice(2)
for (const step of failedSteps) process.stdout.write(`failed: ${step}\n`)
counts.failed += failedSteps.length
for (const name of readdirSync(folder).filter((file) => file.endsWith('.xml'))) {
  countJUnit(readFileSync(join(folder, name), 'utf8'))
}
const reports = readdirSync(folder).filter((file) => file.endsWith('.json'))
for (const name of reports.filter((file) => !file.endsWith('.again.json'))) {
  const report = reportOf(name)
  const again = name.replace(/json$/, 'again.json')
  if (reports.includes(again)) replaceFailed(report, reportOf(again))
  if (report.crashed || !report.testResults?.length) {
    process.stdout.write(`${name}: vitest left no results\n`)
    counts.failed++
  }
  for (const file of report.testResults ?? []) count(file)
}

function reportOf(name) {
  return JSON.parse(readFileSync(join(folder, name), 'utf8'))
}

/** Puts the second run of a file in the place of its failed first one. */
function replaceFailed(report, again) {
  const seconds = new Map((again.testResults ?? []).map((file) => [file.name, file]))
  report.testResults = (report.testResults ?? []).map((file) => {
    const second = seconds.get(file.name)
    if (file.status !== 'failed' || !second) return file
    const passed = (test) =>
      second.assertionResults.some(
        (other) => other.fullName === test.fullName && other.status === 'passed',
      )
    for (const test of file.assertionResults) {
      if (test.status === 'failed' && passed(test)) onlyAlone.push(told(file, test))
    }
    return second
  })
}

function told(file, test) {
  const why = (test.failureMessages ?? []).join('\n').slice(0, 600)
  return `${relative(root, file.name)}: ${test.fullName}\n${why.replace(/^/gm, '    ')}`
}

function countJUnit(report) {
  for (const [suite] of report.matchAll(/<testsuite [^>]*>/g)) {
    const numberOf = (name) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? 0)
    const failed = numberOf('failures') + numberOf('errors')
    counts.failed += failed
    counts.skipped += numberOf('skipped')
    counts.passed += numberOf('tests') - failed - numberOf('skipped')
  }
  const cases =
    /<testcase classname="([^"]*)" name="([^"]*)"[^>]*>\s*<skipped [^>]*message="([^"]*)"/g
  for (const [, file, name, reason] of report.matchAll(cases)) {
    const title = `${file}: ${name}: ${reason}`
    skipped.set(title, (skipped.get(title) ?? 0) + 1)
    if (reason.includes(SHARED_MARK)) wrongly.add(title)
  }
}

function count(file) {
  const tests = file.assertionResults
  // A file that cannot be imported has no tests to fail.
  if (file.status === 'failed' && !tests.some((test) => test.status === 'failed')) {
    counts.failed++
    failures.push(`${relative(root, file.name)}: ${String(file.message ?? '').slice(0, 600)}`)
  }
  const usesShared =
    existsSync(file.name) &&
    /\.\.\/shared|shared-folder|sharedPath/.test(readFileSync(file.name, 'utf8'))
  for (const test of tests) {
    if (test.status === 'passed') counts.passed++
    else if (test.status === 'failed') {
      counts.failed++
      failures.push(told(file, test))
    } else {
      counts.skipped++
      const title = `${relative(root, file.name)}: ${test.fullName}`
      skipped.set(title, (skipped.get(title) ?? 0) + 1)
      if (process.env.CHROMIUM && test.fullName.includes(CHROMIUM_MARK)) browserless.add(title)
      const named = test.fullName.includes(SHARED_MARK)
      if (named || (usesShared && !test.fullName.includes('[needs '))) wrongly.add(title)
    }
  }
}

for (const [title, times] of skipped) {
  process.stdout.write(`skipped${times > 1 ? ` ${times} times` : ''}: ${title}\n`)
}
const hidden = sharedIsThere && wrongly.size > 0
if (hidden) {
  process.stdout.write('failed: ../shared is there, but these tests over it skipped:\n')
  for (const title of wrongly) process.stdout.write(`  ${title}\n`)
}
if (browserless.size > 0) {
  process.stdout.write('failed: CHROMIUM names a browser, but these tests in one skipped:\n')
  for (const title of browserless) process.stdout.write(`  ${title}\n`)
}
for (const one of onlyAlone) {
  process.stdout.write(`failed beside the others, passed alone: ${one}\n`)
}
for (const one of failures) process.stdout.write(`failed: ${one}\n`)
process.stdout.write(
  `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
)
const isBad = counts.failed > 0 || counts.passed === 0 || hidden || browserless.size > 0
process.exitCode = isBad ? 1 : 0
