/** For tests: programs that not every machine has. Without one its tests skip with a printed reason; CI installs them. */
import { execFileSync } from 'node:child_process'
import { describe, it } from 'vitest'

/** `describe` for tests that run `program`; a skipped test names it, as `scripts/sum-results.mjs` expects. */
export function describeProgram(program: string, name: string, body: () => void): void {
  if (isThere(program)) {
    describe(name, body)
    return
  }
  process.stderr.write(`skipped: ${name}: there is no ${program}\n`)
  describe(name, () => {
    it.skip(`runs with ${program} [needs ${program}]`, () => {})
  })
}

function isThere(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
