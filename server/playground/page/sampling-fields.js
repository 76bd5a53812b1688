/** What can be set of sampling: names and ranges are those of the API, which a test holds this against. */

/**
 * @typedef {object} Field
 * @property {string} name as the API calls it
 * @property {string} label
 * @property {string} hint
 * @property {number} min
 * @property {number} max
 * @property {boolean} [whole]
 * @property {number} [step] shows a slider besides
 */

/** @type {readonly Field[]} */
export const FIELDS = [
  {
    name: 'temperature',
    label: 'Temperature',
    hint: '0 always takes the likeliest token.',
    min: 0,
    max: 2,
    step: 0.05,
  },
  {
    name: 'top_p',
    label: 'Top p',
    hint: 'The probability mass to keep.',
    min: 0,
    max: 1,
    step: 0.01,
  },
  {
    name: 'min_p',
    label: 'Min p',
    hint: 'Drops what is less likely than this share of the likeliest.',
    min: 0,
    max: 1,
    step: 0.01,
  },
  {
    name: 'top_k',
    label: 'Top k',
    hint: 'How many tokens to keep; 0 keeps all.',
    min: -1,
    max: 0x7fffffff,
    whole: true,
  },
  {
    name: 'max_tokens',
    label: 'Max tokens',
    hint: 'Where the answer is cut at the latest.',
    min: 1,
    max: 0x7fffffff,
    whole: true,
  },
  {
    name: 'seed',
    label: 'Seed',
    hint: 'Makes a sampled answer repeatable.',
    min: Number.MIN_SAFE_INTEGER,
    max: Number.MAX_SAFE_INTEGER,
    whole: true,
  },
  {
    name: 'repetition_penalty',
    label: 'Repetition penalty',
    hint: 'On tokens of prompt and answer; 1 is none.',
    min: 1,
    max: 2,
    step: 0.01,
  },
  {
    name: 'presence_penalty',
    label: 'Presence penalty',
    hint: 'On tokens that are in the answer already.',
    min: -2,
    max: 2,
    step: 0.05,
  },
  {
    name: 'frequency_penalty',
    label: 'Frequency penalty',
    hint: 'The same, for each time that they are.',
    min: -2,
    max: 2,
    step: 0.05,
  },
]

/** Strings that end an answer, at most. */
export const MOST_STOPS = 16

/** One a line, with `\n`, `\t` and `\\` for what a line cannot hold. @param {string} text @returns {string[]} */
export function parseStops(text) {
  const meaning = /** @type {Record<string, string>} */ ({ n: '\n', t: '\t', '\\': '\\' })
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/\\([nt\\])/g, (_, letter) => meaning[letter] ?? letter))
}

/** @param {readonly string[]} stops */
export function formatStops(stops) {
  return stops
    .map((stop) => stop.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/\t/g, '\\t'))
    .join('\n')
}
