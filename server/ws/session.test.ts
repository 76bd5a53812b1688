/** What a WebSocket answers: the contract's messages, ids, limits and errors. Over real sockets. */
import { afterEach, describe, expect, test } from 'vitest'
import { closeAll, LONG, long, open, start } from '../../test/socket-client.ts'

afterEach(closeAll)

describe('answers', () => {
  test('generate as the contract prints it: tokens, then complete', async () => {
    const { server, answered } = await start({ words: ['Once', ' upon', ' a'] })
    const { send, ended, frames } = await open(server)
    send({ type: 'auth', token: 'YOUR_API_KEY' })
    send({ type: 'generate', data: { prompt: 'hey', max_tokens: 100, temperature: 0.7 } })
    await ended()
    expect(frames).toEqual([
      { type: 'token', data: { token: 'Once', index: 0 } },
      { type: 'token', data: { token: ' upon', index: 1 } },
      { type: 'token', data: { token: ' a', index: 2 } },
      {
        type: 'complete',
        data: {
          finish_reason: 'stop',
          usage: expect.objectContaining({ prompt_tokens: 3, completion_tokens: 3 }),
        },
      },
    ])
    expect(answered).toMatchObject([
      { endpoint: '/ws', outcome: 'completed', completionTokens: 3, model: 'fake/tiny-1' },
    ])
  })

  test('chat, with the contract’s defaults', async () => {
    const { server, engine } = await start()
    const { send, ended } = await open(server)
    send({
      type: 'chat',
      data: { messages: [{ role: 'user', content: 'Hello!' }], temperature: 0 },
    })
    expect(await ended()).toMatchObject({ type: 'complete' })
    expect(engine.calls[0]?.options).toMatchObject({ temperature: 0, topK: 50, maxTokens: 100 })
  })

  test('several at once, told apart by ids of either kind', async () => {
    const { server } = await start({ rate: 100, words: ['a', 'b', 'c'] })
    const { send, ended, text } = await open(server)
    send({ type: 'generate', id: 'one', data: { prompt: 'x' } })
    send({ type: 'generate', id: 2, data: { prompt: 'x', max_tokens: 2 } })
    expect(await ended('one')).toMatchObject({ data: { finish_reason: 'stop' } })
    expect(await ended(2)).toMatchObject({ data: { finish_reason: 'length' } })
    expect(text('one')).toBe('abc')
    expect(text(2)).toBe('ab')
  })

  test('`stream: false` brings the whole text at the end; `return_full_text` the prompt', async () => {
    const { server } = await start({ words: ['a', 'b'] })
    const { send, ended, frames } = await open(server)
    send({ type: 'generate', data: { prompt: 'x-', stream: false, return_full_text: true } })
    expect(await ended()).toMatchObject({ data: { generated_text: 'x-ab' } })
    expect(frames).toHaveLength(1)
  })

  test('cancel ends the one it names, and no other', async () => {
    const { server, engine, answered } = await start(LONG)
    const { send, ended, text, frames } = await open(server)
    send(long('stays'))
    send(long('goes'))
    await expect.poll(() => text('goes').length).toBeGreaterThan(2)
    send({ type: 'cancel', id: 'goes' })
    expect(await ended('goes')).toMatchObject({ type: 'error', data: { code: 'cancelled' } })
    expect(engine.aborted).toBe(1)
    expect(engine.stats.running).toBe(1)
    expect(answered).toMatchObject([{ outcome: 'cancelled' }])
    const before = text('stays').length
    await expect.poll(() => text('stays').length).toBeGreaterThan(before)
    send({ type: 'cancel', id: 'goes' })
    await expect
      .poll(() => frames.filter((frame) => frame.type === 'error').at(-1)?.data)
      .toMatchObject({ code: 'not_found', param: 'id' })
  })
})

describe('errors', () => {
  test('an error’s `error` is its message, beside it is all that HTTP would tell', async () => {
    const { server } = await start()
    const { send, ended } = await open(server)
    send({ type: 'generate', id: 'x', data: { prompt: 'x', temperature: 3 } })
    const message = "The parameter 'temperature' must be a number between 0.0 and 2.0."
    expect(await ended('x')).toEqual({
      type: 'error',
      id: 'x',
      data: {
        error: message,
        message,
        type: 'validation_error',
        code: 'invalid_parameter',
        param: 'temperature',
        request_id: expect.stringMatching(/^req_/),
      },
    })
  })

  test.each([
    ['not JSON', '{', 'invalid_json'],
    ['no object', '[]', 'invalid_parameter'],
    ['a null', 'null', 'invalid_parameter'],
    ['no such type', { type: 'shout' }, 'invalid_parameter'],
    ['no data', { type: 'generate' }, 'missing_parameter'],
    [
      'an unknown member',
      { type: 'generate', data: { prompt: 'x' }, loud: 1 },
      'unknown_parameter',
    ],
    ['a bad id', { type: 'generate', id: {}, data: { prompt: 'x' } }, 'invalid_parameter'],
    ['an unknown field', { type: 'generate', data: { prompt: 'x', hm: 1 } }, 'unknown_parameter'],
    ['another model', { type: 'generate', data: { prompt: 'x', model: 'gpt' } }, 'model_not_found'],
    [
      'a prompt too long',
      { type: 'generate', data: { prompt: 'x'.repeat(5000) } },
      'context_length_exceeded',
    ],
    [
      'two choices',
      { type: 'chat', data: { messages: [{ role: 'user', content: 'x' }], n: 2 } },
      'unsupported_parameter',
    ],
    ['too deep', `{"type":"generate","data":${'['.repeat(99)}${']'.repeat(99)}}`, 'invalid_json'],
    ['nothing to cancel', { type: 'cancel' }, 'not_found'],
  ])('%s is told, and the socket goes on', async (_, message, code) => {
    const { server } = await start({ words: ['a'] })
    const { send, frames, ended } = await open(server)
    send(message)
    await expect.poll(() => frames[0]).toMatchObject({ type: 'error', data: { code } })
    send({ type: 'generate', id: 'after', data: { prompt: 'x' } })
    expect(await ended('after')).toMatchObject({ type: 'complete' })
  })

  test('an engine that fails: fixed words for the client, the cause for the log', async () => {
    const logged: string[] = []
    const failAfter = { tokens: 2, error: new Error('secret at /home/me') }
    const { server, answered } = await start({ failAfter }, { log: (line) => logged.push(line) })
    const { send, ended } = await open(server)
    send({ type: 'generate', data: { prompt: 'x' } })
    const frame = await ended()
    expect(frame).toMatchObject({ type: 'error', data: { code: 'internal_error' } })
    expect(JSON.stringify(frame)).not.toContain('secret')
    expect(logged.join()).toContain('secret')
    expect(answered).toMatchObject([{ outcome: 'failed' }])
  })

  test('more at once than allowed, and an id twice, are refused', async () => {
    const { server } = await start(LONG, { socketLimits: { answers: 2 } })
    const { send, frames } = await open(server)
    const codes = () => frames.flatMap((frame) => (frame.type === 'error' ? [frame.data.code] : []))
    send(long('a'))
    send(long('a'))
    await expect.poll(codes).toEqual(['invalid_parameter'])
    send(long('b'))
    send(long('c'))
    await expect.poll(codes).toEqual(['invalid_parameter', 'overloaded'])
  })
})
