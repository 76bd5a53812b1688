/** Composed WGSL: where its bindings stand. */
import { expect, test } from 'vitest'
import { kernels } from '../index.ts'
import { tunings } from '../kernel.ts'
import { BASELINE } from './capabilities.ts'
import { specialise } from './specialise.ts'

test('bindings of all groups stand in one, in the order of what is written', () => {
  const [shape] = kernels.qkv.cases
  const [tuning] = tunings(kernels.qkv, shape!, BASELINE)
  const { code, bindings } = specialise(kernels.qkv, shape!, tuning!, BASELINE)
  expect(new Set(bindings.map(({ group }) => group))).toEqual(new Set([0, 1, 2]))
  const written = bindings.map(({ group, binding }) => group * 100 + binding)
  expect(written).toEqual([...written].sort((a, b) => a - b))
  expect(bindings.map(({ index }) => index)).toEqual(bindings.map((_, i) => i))
  const composed = [...code.matchAll(/@group\((\d+)\) @binding\((\d+)\) var<[^>]+> (\w+)/g)]
  const found = composed.map(([, group, binding, name]) => `${group}.${binding} ${name}`)
  expect(found.sort()).toEqual(bindings.map(({ index, name }) => `0.${index} ${name}`).sort())
})
