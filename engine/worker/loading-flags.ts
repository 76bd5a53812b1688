/** Flags of Node that say how modules are loaded: what another thread or process needs of them to load ours. */

/** Those of `flags`, with what follows each. */
export function loadingFlags(flags: readonly string[]): string[] {
  const isLoading = (flag = ''): boolean =>
    /^(-r|-C|--(import|require|conditions|(experimental-)?loader))(=|$)/.test(flag)
  const isAlone = (flag: string): boolean => !flag.startsWith('-')
  return flags.filter((flag, i) => isLoading(flag) || (isAlone(flag) && isLoading(flags[i - 1])))
}
