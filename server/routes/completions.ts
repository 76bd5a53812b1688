/** `POST /v1/completions`, whole and streamed: one prompt or several, each with one answer or several. */
import type { Chunk, Generation } from '../../engine/api.ts'
import { EngineError } from '../../engine/errors.ts'
import {
  COMPLETION_MAX_TOKENS,
  type CompletionRequest,
  type CompletionResponse,
  completionRequest,
  MAX_ANSWERS,
  promptsOf,
} from '../contract/completions.ts'
import { ApiError } from '../contract/errors.ts'
import type { ServedEngine } from '../contract/served-engine.ts'
import { wireUsage } from '../contract/usage.ts'
import type { Lease } from '../models/served-model.ts'
import { answerId } from '../request-id.ts'
import { admit } from './admit.ts'
import { answerStream, answerWhole, type Start } from './answer.ts'
import { checkIds, type Deps, type RequestContext } from './env.ts'
import { JointGeneration } from './joint-generation.ts'
import { type Heading, newHeading, stopStrings } from './openai.ts'
import { askedOptions } from './options.ts'

export const completions = (c: RequestContext, deps: Deps): Promise<Response> =>
  admit(
    c,
    deps,
    completionRequest,
    (lease, body, now) => answer(c, now, lease, body),
    ({ prompt, n }) => promptsOf(prompt).length * (n ?? 1),
  )

async function answer(
  c: RequestContext,
  deps: Deps,
  lease: Lease,
  body: CompletionRequest,
): Promise<Response> {
  const { engine } = lease
  const start = startOf(c, engine, body)
  const heading = newHeading(answerId('cmpl'), engine.info.id)
  c.set('responseId', heading.id)
  if (body.stream) {
    const wantsUsage = body.stream_options?.include_usage === true
    return answerStream(c, deps, lease, start, completionChunks(heading, wantsUsage))
  }
  const { choices, usage } = await answerWhole(c, deps, lease, start)
  const whole: CompletionResponse = {
    ...heading,
    object: 'text_completion',
    choices: choices.map(({ index, text, finishReason }) => ({
      index,
      text,
      logprobs: null,
      finish_reason: finishReason,
    })),
    usage: wireUsage(usage),
  }
  return c.json(whole)
}

/** Checks what the schema cannot, before anything starts. */
function startOf(c: RequestContext, engine: ServedEngine, body: CompletionRequest): Start {
  const prompts = promptsOf(body.prompt)
  const nameOf = (at: number) => (prompts.length > 1 ? `prompt[${at}]` : 'prompt')
  for (const [at, prompt] of prompts.entries()) {
    if (typeof prompt !== 'string') checkIds(engine, prompt, nameOf(at))
  }
  const choices = body.n ?? 1
  if (prompts.length * choices > MAX_ANSWERS) {
    throw new ApiError(
      'bad_request',
      `The parameter 'n' is ${choices} for each of ${prompts.length} prompts; a request may ask for ${MAX_ANSWERS} answers in all.`,
      'n',
    )
  }
  checkBestOf(body.best_of, choices)
  const { logprobs: _, ...sampling } = body
  const wire = { ...sampling, max_tokens: body.max_tokens ?? COMPLETION_MAX_TOKENS }
  const options = askedOptions(engine, c.var.caller, wire, stopStrings(body.stop), c.var.dialect)
  return (control) => {
    const parts = prompts.map((prompt, at) =>
      naming(nameOf(at), () => engine.generate(prompt, { ...options, ...control })),
    )
    const [only] = parts
    return only && parts.length === 1 ? only : new JointGeneration(parts, choices)
  }
}

/** OpenAI makes `best_of` answers and shows the `n` likeliest. */
function checkBestOf(bestOf: number | null | undefined, choices: number): void {
  if (bestOf === null || bestOf === undefined || bestOf === choices) return
  throw new ApiError(
    'unsupported_parameter',
    `The parameter 'best_of' is not supported: every answer is shown, so it can only be what 'n' is (${choices}).`,
    'best_of',
  )
}

/** The engine knows of one prompt only: its error is about the one of this name. */
function naming(name: string, start: () => Generation): Generation {
  try {
    return start()
  } catch (error) {
    const isAboutPrompt = error instanceof EngineError && error.param === 'prompt'
    if (!isAboutPrompt || name === 'prompt') throw error
    throw new EngineError(error.code, `${name}: ${error.message}`, { cause: error, param: name })
  }
}

function completionChunks(
  heading: Heading,
  wantsUsage: boolean,
): (chunk: Chunk) => Iterable<CompletionResponse> {
  const base = {
    ...heading,
    object: 'text_completion' as const,
    ...(wantsUsage ? { usage: null } : {}),
  }
  return function* ({ index, text, finishReason, usage }) {
    if (text !== '' || finishReason !== null) {
      const choice = { index, text, logprobs: null, finish_reason: finishReason }
      yield { ...base, choices: [choice] }
    }
    if (usage !== null && wantsUsage) yield { ...base, choices: [], usage: wireUsage(usage) }
  }
}
