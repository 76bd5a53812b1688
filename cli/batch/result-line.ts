/** A line of the results: what became of one prompt, in the words of the contract's batch results. */
import { z } from 'zod'

const usage = z.object({
  prompt_tokens: z.number(),
  completion_tokens: z.number(),
  total_tokens: z.number(),
})

const completed = z.object({
  index: z.int().min(0),
  status: z.literal('completed'),
  prompt: z.string(),
  generated_text: z.string(),
  /** Null where a server does not say. */
  tokens_generated: z.number().nullable(),
  /** Seconds. */
  generation_time: z.number(),
  finish_reason: z.enum(['stop', 'length']).nullable(),
  model_version: z.string().nullable(),
  usage: usage.nullable(),
})

const failed = z.object({
  index: z.int().min(0),
  status: z.literal('failed'),
  prompt: z.string(),
  error: z.string(),
  /** For programs; null where there is none. */
  code: z.string().nullable(),
})

const resultLine = z.discriminatedUnion('status', [completed, failed])

export type ResultLine = z.infer<typeof resultLine>

/** How every line begins: by this a line that was cut short is known for one of ours. */
export const BEGINNING = '{"index":'

/** With its line break. `index` comes first. */
export function writeLine(result: ResultLine): string {
  const { index, ...rest } = result
  return `${JSON.stringify({ index, ...rest })}\n`
}

/** Null for what is no line of results. */
export function readLine(text: string): ResultLine | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  return resultLine.safeParse(value).data ?? null
}
