/** Lines become messages: `"""` holds several together, in questions and in commands, and so does a paste. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Message, MessageAssembler } from './message-assembler.ts'

function messagesOf(lines: readonly string[], pasted: readonly number[] = []): Message[] {
  const assembler = new MessageAssembler()
  const whole = lines.map((line, at) => assembler.add(line, pasted.includes(at)))
  return [...whole, assembler.rest()].filter((message) => message !== null)
}

const text = (message: string) => ({ text: message, mayBeCommand: false })
const line = (message: string) => ({ text: message, mayBeCommand: true })

test('a line is a message', () => {
  expect(messagesOf(['one', '/bye'])).toEqual([line('one'), line('/bye')])
})

test.each([
  [['"""', 'a', '', '  b', '"""'], [text('a\n\n  b')]],
  [
    ['"""a', 'b"""', 'c'],
    [text('a\nb'), line('c')],
  ],
  [['"""a"""'], [text('a')]],
  [['"""', '/bye', '"""'], [text('/bye')]],
  [['"""', '"""'], [text('')]],
  [['/system """', 'a', 'b', '"""'], [line('/system a\nb')]],
  [['/set system """a', 'b"""'], [line('/set system a\nb')]],
  [['say """ aloud'], [line('say """ aloud')]],
])('%j is %j', (lines, wanted) => {
  expect(messagesOf(lines)).toEqual(wanted)
})

test('what is pasted is one message, together with what is typed behind it', () => {
  expect(messagesOf(['a', '/bye', 'c', 'd'], [0, 1])).toEqual([text('a\n/bye\nc'), line('d')])
  expect(messagesOf(['"""', 'a', '"""'], [0, 1])).toEqual([text('a')])
  expect(messagesOf(['"""', 'a', 'b', 'c"""'], [1])).toEqual([text('a\nb\nc')])
})

test('what is never closed is a message at the end of the input', () => {
  expect(messagesOf(['"""', 'a', 'b'])).toEqual([text('a\nb')])
  expect(messagesOf(['a', 'b'], [0, 1])).toEqual([text('a\nb')])
  expect(messagesOf(['"""', 'a'], [1])).toEqual([text('a')])
})

test('what was begun can be dropped', () => {
  const assembler = new MessageAssembler()
  assembler.add('"""')
  expect(assembler.isOpen).toBe(true)
  assembler.cancel()
  expect(assembler.isOpen).toBe(false)
  expect(assembler.add('a')).toEqual(line('a'))
  expect(assembler.rest()).toBe(null)
})

test('any lines between the marks come out as they went in', () => {
  const lines = fc.array(fc.string().filter((one) => !one.includes('"""') && !/[\r\n]/.test(one)))
  fc.assert(
    fc.property(lines, fc.nat(), (block, at) => {
      const all = ['"""', ...block, '"""']
      const pasted = [...all.keys()].slice(0, at % all.length)
      expect(messagesOf(all, pasted)).toEqual([text(block.join('\n'))])
    }),
  )
})
