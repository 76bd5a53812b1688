/** Commands by the names that people's fingers know from Ollama: `ls` is `models ls`, and so on. */

/** Word → the command below which it is one. */
export const SHORTHANDS: Readonly<Record<string, string>> = {
  ls: 'models',
  pull: 'models',
  show: 'models',
  rm: 'models',
}

/** The command line in full; `help ls` as well. */
export function expanded(args: readonly string[]): string[] {
  const [first = '', second = '', ...rest] = args
  // Commander's help goes one level deep.
  if (first === 'help' && isShorthand(second)) return expanded([second, '--help', ...rest])
  return isShorthand(first) ? [SHORTHANDS[first] ?? '', ...args] : [...args]
}

const isShorthand = (word: string): boolean => Object.hasOwn(SHORTHANDS, word)
