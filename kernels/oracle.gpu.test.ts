/** Every kernel × case, in its default tuning and some others, matches its oracle on the adapter at hand, with its features and without them. */
import { describe, expect, test } from 'vitest'
import { kernels } from './index.ts'
import { type Kernel, tunings } from './kernel.ts'
import { knownCase } from './known-case.ts'
import { checkKernel } from './oracle.ts'
import { ownDevice } from './testing.ts'

/** Drivers take seconds to compile some: the default, and a few others that change from case to case, so that all come up. */
function sample<T>(all: readonly T[], index: number): T[] {
  const apart = Math.ceil(all.length / MOST)
  return all.filter((_, i) => i === 0 || i % apart === index % apart)
}
const MOST = 3

describe.each([
  { title: 'all features', without: [] },
  { title: 'no f16, no subgroups', without: ['shader-f16', 'subgroups'] },
] as const)('with $title', ({ without }) => {
  const own = ownDevice(without)

  test.for(Object.entries(kernels))('%s', async ([name, declared], { skip }) => {
    // Its state lives across barriers there, which lavapipe compiles for half a minute a variant; SwiftShader has it too.
    const isSlow =
      name === 'attention' && own.device.driver === 'lavapipe' && !own.device.caps.subgroups
    skip(isSlow, 'attention without subgroups is held on SwiftShader')
    const kernel = declared as unknown as Kernel
    for (const [index, shape] of kernel.cases.entries()) {
      const known = knownCase(kernel, shape)
      for (const tuning of sample(tunings(kernel, shape, own.device.caps), index)) {
        const outcome = await checkKernel(own.device, own.pipelines, kernel, shape, tuning, known)
        const what = `${kernel.name} ${JSON.stringify(shape)} ${JSON.stringify(tuning)}`
        expect(
          outcome.ok,
          `${what}: ${outcome.where} (${outcome.worst} > ${kernel.tolerance})`,
        ).toBe(true)
      }
    }
  })
})
