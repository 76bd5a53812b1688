/** Figures of the load suite: what could not be measured is left out. */
import { expect, it } from 'vitest'
import { holds } from '../figures.ts'
import { figuresOf } from './load.ts'

const cold = { total: 5, weights: 1, pipelines: 3, pipelinesProcessor: 6, ids: [1] }

it('tells a cold load by the clock and by the processors, and judges the shares', () => {
  const figures = figuresOf([cold], { kept: [50, 70, 80], dropped: [20] }, [1, 30, 2])
  const found = figures.map((one) => [one.name, one.median, holds(one)])
  expect(found).toEqual([
    ['load: pipelines, cold', 3, true],
    ['load: pipelines, cold, of the processors', 6, null],
    ['load, cold', 5, null],
    ['weights: of the reading speed, from the disk', 20, false],
    ['weights: of the reading speed, from the page cache', 70, true],
    ['100 kept tunings, read', 2, true],
  ])
})

it('has no figure from the disk where the page cache cannot be dropped', () => {
  const names = figuresOf([cold], { kept: [50], dropped: [] }, [1]).map(({ name }) => name)
  expect(names.filter((name) => name.includes('disk'))).toEqual([])
  expect(names).toHaveLength(5)
})
