/** The completion script for fish. */
import { flattened, type TreeCommand, type TreeOption } from './command-tree.ts'

/** fish knows one escape more than bash: the backslash. */
const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

export function fishScript(tree: TreeCommand): string {
  const commands = flattened(tree)
  const walk = commands
    .filter(({ path }) => path !== '')
    .map(
      ({ path, paths }) =>
        `            case ${paths.map(quoted).join(' ')}\n                set at ${quoted(path)}`,
    )
  return `# Completion of illuminator for fish: illuminator completion fish | source
function __illuminator_at
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch "$at $word"
${walk.join('\n')}
        end
    end
    test "$at" = "$argv[1]"
end
${commands.flatMap(linesOf).join('\n')}
`
}

function linesOf(command: TreeCommand): string[] {
  const { path, below, options } = command
  const start = `complete -c illuminator -n ${quoted(`__illuminator_at ${quoted(path)}`)}`
  return [
    // Where words are known, files are not offered.
    ...(below.length > 0 ? [`${start} -f`] : []),
    ...below.map(({ name, help }) => `${start} -a ${quoted(name)} -d ${quoted(help)}`),
    ...options.map((option) => `${start} ${optionWords(option)} -d ${quoted(option.help)}`),
  ]
}

function optionWords({ short, long, values }: TreeOption): string {
  const names = `${short === null ? '' : `-s ${short.slice(1)} `}-l ${long.slice(2)}`
  if (values === 'none') return names
  if (values === 'files') return `${names} -r -F`
  return values === 'any' ? `${names} -x` : `${names} -x -a ${quoted(values.join(' '))}`
}
