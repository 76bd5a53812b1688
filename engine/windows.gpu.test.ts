/** Models whose layers look back through a window: pages outside it are given back, and no answer shows it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { kvPageBytes } from '../kernels/index.ts'
import { describeShared } from '../test/shared-folder.ts'
import type { LoadOptions } from './api.ts'
import { Engine } from './engine.ts'
import { heldPages } from './schedule/kv-group.ts'

const WINDOW = 24
const CHUNK = 8
const CONTEXT = 160
const PROMPT = 60
const ANSWER = 60
/** Pages of a sequence of full length, and those that it may hold where there is a window. */
const ALL = CONTEXT / 16
const HELD = heldPages(WINDOW, CHUNK, ALL)

describeShared('windows', (shared) => {
  const folderOf = (name: string): string => join(shared, 'goldens', 'tiny', name)

  /** Bytes of KV cache for so many sequences of full length. */
  function bytesFor(name: string, sequences: number): number {
    const config = JSON.parse(readFileSync(join(folderOf(name), 'config.json'), 'utf8'))
    const { num_hidden_layers: layers, num_key_value_heads: kvHeads, head_dim: headDim } = config
    const types: string[] = config.layer_types ?? Array(layers).fill('sliding_attention')
    const pages = types.map((type) => (type === 'sliding_attention' ? HELD : ALL))
    const page = kvPageBytes({ kvHeads, headDim: headDim ?? 16, kv: 'f16' })
    return page * sequences * pages.reduce((a, b) => a + b, 0)
  }

  async function withEngine<T>(
    name: string,
    options: LoadOptions,
    use: (engine: Engine) => Promise<T>,
  ): Promise<T> {
    const all = { contextLength: CONTEXT, prefillChunk: CHUNK, ...options }
    const engine = await Engine.load(folderOf(name), all)
    try {
      return await use(engine)
    } finally {
      await engine.close()
    }
  }

  const promptOf = (shift: number): number[] =>
    Array.from({ length: PROMPT }, (_, i) => 3 + ((i * 31 + shift * 17) % 300))

  /** Of four conversations at once, and of the first one's next turn. */
  async function answersOf(engine: Engine): Promise<(readonly number[])[]> {
    const greedy = { temperature: 0, maxTokens: ANSWER, ignoreEos: true }
    const answers = await Promise.all(
      [0, 1, 2, 3].map((shift) => engine.generate(promptOf(shift), greedy).result()),
    )
    const known = [...promptOf(0), ...(answers[0]?.ids ?? [])]
    const turn = await engine.generate(known, { ...greedy, maxTokens: 20 }).result()
    expect(engine.stats.pages.inUse).toBe(0)
    return [...answers, turn].map(({ ids }) => ids)
  }

  test.each(['mistral', 'gemma3'])(
    '%s answers the same past five windows, whether all pages fit or one sequence at a time',
    async (name) => {
      const roomy = await withEngine(name, {}, answersOf)
      expect(roomy[0]).toHaveLength(ANSWER)
      const kvMemory = bytesFor(name, 1)
      await withEngine(name, { kvMemory }, async (engine) => {
        const windowed = engine.stats.pageGroups.find(({ window }) => window === WINDOW)
        expect(windowed?.total).toBe(HELD)
        expect(engine.stats.memory.byPurpose['kv-cache']).toBeLessThan(kvMemory * 1.2)
        expect(await answersOf(engine)).toEqual(roomy)
      })
    },
  )

  test('a sequence holds the pages of its window, and its next turn finds them', async () => {
    await withEngine('mistral', { maxSequences: 1 }, async (engine) => {
      const options = { temperature: 0, maxTokens: ANSWER, ignoreEos: true }
      let most = 0
      const ids: number[] = []
      for await (const chunk of engine.generate(promptOf(1), options)) {
        ids.push(...chunk.ids)
        most = Math.max(most, engine.stats.pages.inUse)
      }
      expect(most).toBeGreaterThan(0)
      expect(most).toBeLessThanOrEqual(HELD)
      const { usage } = await engine
        .generate([...promptOf(1), ...ids, 5, 6], { maxTokens: 1 })
        .result()
      // The last token of an answer was never computed.
      expect(usage.cachedTokens).toBe(PROMPT + ANSWER - 1)
    })
  })
})
