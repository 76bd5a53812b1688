#!/usr/bin/env node
/** Prints the test files that failed in a JSON report of vitest, a line each. */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { root } from './project.mjs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
for (const file of report.testResults ?? []) {
  if (file.status === 'failed') process.stdout.write(`${relative(root, file.name)}\n`)
}
