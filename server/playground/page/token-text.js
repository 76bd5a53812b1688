/** A token and its probability for the eye and the ear. */

/** @param {{ logprob: number }} token */
export const probability = ({ logprob }) => Math.exp(logprob)

/** @param {{ logprob: number }} token */
export function percent(token) {
  const value = 100 * probability(token)
  return value > 0 && value < 0.1 ? '< 0.1 %' : `${value.toFixed(1)} %`
}

/** What has no ink of its own gets some. @param {string} text */
export function visible(text) {
  if (text === '') return '∅'
  return text.replace(/\n/g, '↵').replace(/\t/g, '⇥')
}

/** @param {string} text */
export function spoken(text) {
  if (text === '') return 'nothing'
  if (text.trim() !== '') return text.trim()
  return text.includes('\n') ? 'line break' : 'space'
}
