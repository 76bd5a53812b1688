/** The engine's own way from ids to chunks (stop strings, whole characters, choices) over tokens that a test lays down. */
import type { ChatMessage, FinishReason, GenerateOptions } from '../engine/api.ts'
import { ChoiceStream } from '../engine/choice.ts'
import type { EngineError } from '../engine/errors.ts'
import { TextGeneration } from '../engine/text-generation.ts'
import { FakeEngine } from '../server/fake-engine.ts'
import { Detokenizer } from '../tokenizer/detokenizer.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'

/** What the loop would tell. */
export interface Script {
  readonly tokenizer: Tokenizer
  readonly ids: readonly number[]
  /** Tokens told at once, turn by turn; begins anew when it is over. */
  readonly turns: readonly number[]
  readonly ending: FinishReason
}

/** An answer whose every choice gets the same tokens, in turns of its own. */
export function playScript(script: Script, options: GenerateOptions = {}): TextGeneration {
  const { n = 1, stop = [], signal } = options
  const over = new Set<number>()
  const choices = Array.from(
    { length: n },
    (_, index) => new ChoiceStream(index, new Detokenizer(script.tokenizer, { stop }), false),
  )
  const host = {
    start: (generation: TextGeneration) => {
      for (const index of choices.keys()) {
        play(generation, index, script, over).catch((error) =>
          generation.fail(error as EngineError),
        )
      }
    },
    end: (index: number) => void over.add(index),
  }
  const mostTokens = n * script.ids.length
  return new TextGeneration(host, choices, {
    promptTokens: 1,
    mostTokens,
    signal,
    timeout: undefined,
  })
}

async function play(
  generation: TextGeneration,
  index: number,
  { ids, turns, ending }: Script,
  over: ReadonlySet<number>,
): Promise<void> {
  for (let at = 0, turn = index; at < ids.length && !over.has(index); turn++) {
    const size = turns[turn % turns.length] ?? 1
    // Now and then the reader has read everything, now and then nothing.
    if (size % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
    generation.push(index, ids.slice(at, at + size), null)
    at += size
  }
  if (!over.has(index)) generation.finish(index, ending, 0)
}

/** Answers everything with its script. */
export class ScriptedEngine extends FakeEngine {
  script: Script | null = null

  override generate(_: string | readonly number[], options?: GenerateOptions): TextGeneration {
    return this.#play(options)
  }

  override chat(_: readonly ChatMessage[], options?: GenerateOptions): TextGeneration {
    return this.#play(options)
  }

  #play(options?: GenerateOptions): TextGeneration {
    if (!this.script) throw new TypeError('The test laid down no script.')
    return playScript(this.script, options)
  }
}
