import { expect, it } from 'vitest'
import { setLavapipeThreads } from './lavapipe-threads.ts'

const threads = (cores: number, env: NodeJS.ProcessEnv = {}) => {
  setLavapipeThreads(env, cores)
  return env.LP_NUM_THREADS
}

it.each([
  [1, '0'],
  [2, '4'],
  [4, '8'],
  [5, undefined],
  [64, undefined],
])('on %i cores lavapipe is told %s', (cores, told) => expect(threads(cores)).toBe(told))

it('what the user has set stays', () => expect(threads(2, { LP_NUM_THREADS: '0' })).toBe('0'))
