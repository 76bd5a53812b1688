/**
 * The one place that knows about `../shared`, the folder with reference models and goldens beside a development
 * checkout. A clean clone does not have it: tests that use it then skip with a printed reason. `.ci/run` fails when
 * tests of a file that imports this one skip although the folder is there (`scripts/sum-results.mjs`).
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'vitest'

/** Ends the name of every test that skipped because `../shared` is absent; as in `scripts/sum-results.mjs`. */
const SHARED_SKIP_MARK = '[needs ../shared]'

/** Absolute path of the shared folder (`ILLUMINATOR_SHARED`, else `<repo>/../shared`), or null where there is none. */
export function sharedFolder(env: NodeJS.ProcessEnv = process.env): string | null {
  const beside = fileURLToPath(new URL('../../shared', import.meta.url))
  const folder = env.ILLUMINATOR_SHARED ? resolve(env.ILLUMINATOR_SHARED) : beside
  const found = statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false
  if (!found && env.ILLUMINATOR_SHARED) {
    throw new Error(
      `ILLUMINATOR_SHARED is ${folder}, which is no folder. Point it at the shared folder or unset it.`,
    )
  }
  return found ? folder : null
}

/** `describe` for tests over `../shared`: `body` gets its path. Without the folder, one skipped test says why. */
export function describeShared(name: string, body: (folder: string) => void): void {
  const folder = sharedFolder()
  if (folder !== null) {
    describe(name, () => body(folder))
    return
  }
  process.stderr.write(`skipped: ${name}: there is no ../shared folder (ILLUMINATOR_SHARED)\n`)
  describe(name, () => {
    it.skip(`runs over reference data ${SHARED_SKIP_MARK}`, () => {})
  })
}
