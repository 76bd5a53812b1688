/** Who waits, and in which order; who runs, and who makes room first. */
import { expect, test } from 'vitest'
import { WaitingQueue } from './queue.ts'
import { type Priority, Request } from './request.ts'
import { RunningList } from './running.ts'

const request = (priority: Priority = 'interactive'): Request => new Request([1], { priority })

test('first come first, within each priority; interactive before batch', () => {
  const queue = new WaitingQueue()
  const all = [request('batch'), request(), request(), request('batch')] as const
  for (const one of all) queue.add(one)
  expect(queue.of('interactive')).toEqual([all[1], all[2]])
  expect(queue.of('batch')).toEqual([all[0], all[3]])
  expect(queue.all()).toEqual([all[1], all[2], all[0], all[3]])
  expect(queue.size).toBe(4)
})

test('whoever was sent back stands where it stood', () => {
  const queue = new WaitingQueue()
  const all = [0, 1, 2, 3].map(() => request())
  for (const one of all) queue.add(one)
  const [a, b] = all as [Request, Request]
  queue.remove(a)
  queue.remove(b)
  queue.add(request())
  queue.add(b)
  queue.add(a)
  expect(queue.of('interactive').slice(0, 4)).toEqual(all)
  expect(queue.size).toBe(5)
})

test('what is handed out is a copy, and who does not wait is not taken out', () => {
  const queue = new WaitingQueue()
  const one = request()
  queue.add(one)
  queue.of('interactive').length = 0
  queue.remove(request())
  expect(queue.all()).toEqual([one])
})

test('of those that run, the last of the batch makes room first, else the last to arrive', () => {
  const queue = new WaitingQueue()
  const running = new RunningList()
  const all = [request(), request('batch'), request(), request('batch')]
  for (const one of all) queue.add(one)
  for (const one of [...all].reverse()) running.add(one)
  const [a, b, c, d] = all as [Request, Request, Request, Request]
  expect(running.all()).toEqual([a, c, b, d])
  expect(running.of('batch')).toEqual([b, d])
  const order = [d, b, c, a].map(() => {
    const next = running.youngest() as Request
    running.remove(next)
    return next
  })
  expect(order).toEqual([d, b, c, a])
  expect(running.youngest()).toBeUndefined()
  running.add(a)
  expect(running.drain()).toEqual([a])
  expect(running.size).toBe(0)
})
