/** An answer's choices as requests to the loop: one each, the others sharing the first one's prompt. */
import type { Parameters } from './sampling/parameters.ts'
import type { GenerationHost } from './text-generation.ts'
import type { HostSide } from './worker/host-side.ts'
import type { RequestSpec } from './worker/protocol.ts'

export function requestsOf(
  host: HostSide,
  prompt: readonly number[],
  parameters: Parameters,
  maxTokens: number,
  ends: readonly number[],
): GenerationHost {
  const { priority, salt, drafts, stopTokenIds, ignoreEos } = parameters
  const stopIds = [...new Set([...stopTokenIds, ...(ignoreEos ? [] : ends)])]
  const shared = { prompt, maxTokens, stopIds, priority, salt, drafts, score: 'none' as const }
  const numbers: number[] = []
  return {
    start(generation) {
      for (const [index, sampling] of parameters.sampling.entries()) {
        const spec: RequestSpec = { ...shared, sampling, sibling: numbers[0] ?? null }
        numbers[index] = host.submit(spec, {
          onIds: (ids, details) =>
            generation.push(
              index,
              ids,
              details?.map((detail, i) => ({ id: ids[i] as number, ...detail })) ?? null,
            ),
          onEnd: (ending, cachedTokens) =>
            generation.finish(index, ending === 'length' ? 'length' : 'stop', cachedTokens),
          onError: (error) => generation.fail(error),
        })
      }
    },
    end: (index, ending) => host.end(numbers[index] ?? -1, ending),
  }
}
