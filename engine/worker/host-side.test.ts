import { expect, it } from 'vitest'
import { Engine } from '../index.ts'

it('refuses a model that is no text where it came in, by its name', async () => {
  const wrong = { model: './my-model' } as unknown as string
  await expect(Engine.load(wrong)).rejects.toMatchObject({ code: 'bad_request', param: 'model' })
})
