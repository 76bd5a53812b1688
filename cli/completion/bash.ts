/** The completion script for bash. */
import { flattened, type TreeCommand } from './command-tree.ts'
import { byValues, quoted } from './script-parts.ts'

export function bashScript(tree: TreeCommand): string {
  const commands = flattened(tree)
  const walk = commands
    .filter(({ path }) => path !== '')
    .map(({ path, paths }) => `      ${paths.map(quoted).join(' | ')}) path=${quoted(path)} ;;`)
  const values = byValues(commands).map(([value, options]) => {
    const what = typeof value === 'string' ? 'return' : `words=${quoted(value.join(' '))}`
    return `    ${options.map(quoted).join(' | ')}) ${what} ;;`
  })
  const words = commands.map((command) => {
    const options = command.options.flatMap(({ short, long }) => (short ? [short, long] : [long]))
    return `    ${quoted(command.path)}) below=${quoted(command.below.map(({ name }) => name).join(' '))} options=${quoted(options.join(' '))} ;;`
  })
  return `# Completion of illuminator for bash: eval "$(illuminator completion bash)"
_illuminator() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path='' words='' below='' options='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
${walk.join('\n')}
    esac
  done
  # Where nothing is offered, "-o default" offers files.
  case "$path \${COMP_WORDS[COMP_CWORD - 1]}" in
${values.join('\n')}
  esac
  case "$path" in
${words.join('\n')}
  esac
  if [[ -z "$words" ]]; then
    if [[ "$cur" == -* ]]; then words="$options"; else words="$below"; fi
  fi
  # shellcheck disable=SC2207
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _illuminator illuminator
`
}
