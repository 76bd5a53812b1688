/** What OpenAI's two endpoints share: the head of every body and chunk, and the forms of `stop`. */

/** Fields that stand in every body and every chunk of one answer. */
export interface Heading {
  id: string
  created: number
  model: string
}

export function newHeading(id: string, model: string): Heading {
  return { id, created: Math.floor(Date.now() / 1000), model }
}

/** `stop` as a list, whatever form it came in. */
export function stopStrings(stop: string | string[] | null | undefined): string[] {
  return typeof stop === 'string' ? [stop] : (stop ?? [])
}
