/** What the scripts of all shells are made of. */
import type { TreeCommand, TreeOption, Values } from './command-tree.ts'

/** A word in single quotes, as bash and zsh read it. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** Options that take a value, as `path --option`, gathered by what they take. */
export function byValues(
  commands: readonly TreeCommand[],
): [Exclude<Values, 'none'>, readonly string[]][] {
  const gathered = new Map<string, [Exclude<Values, 'none'>, string[]]>()
  for (const { path, options } of commands) {
    for (const { short, long, values } of options) {
      if (values === 'none') continue
      const key = JSON.stringify(values)
      const [, names] = gathered.get(key) ?? [values, []]
      gathered.set(key, [values, [...names, ...named(path, { short, long })]])
    }
  }
  return [...gathered.values()]
}

const named = (path: string, { short, long }: Pick<TreeOption, 'short' | 'long'>): string[] =>
  [short, long].flatMap((name) => (name === null ? [] : [`${path} ${name}`]))
