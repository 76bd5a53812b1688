/** The completion script for zsh; good for `eval` and as a file of `$fpath`. */
import { flattened, type TreeCommand } from './command-tree.ts'
import { byValues, quoted } from './script-parts.ts'

/** `name:help`, as `_describe` wants it. */
const described = (name: string, help: string): string => quoted(`${name}:${help}`)

export function zshScript(tree: TreeCommand): string {
  const commands = flattened(tree)
  const walk = commands
    .filter(({ path }) => path !== '')
    .map(({ path, paths }) => `      (${paths.map(quoted).join('|')}) at=${quoted(path)} ;;`)
  const values = byValues(commands).map(([value, options]) => {
    const what =
      value === 'files'
        ? '_files'
        : value === 'any'
          ? "_message 'value'"
          : `compadd -- ${value.map(quoted).join(' ')}`
    return `    (${options.map(quoted).join('|')}) ${what}; return ;;`
  })
  const lists = commands.map(({ path, below, options }) => {
    const words = below.map(({ name, help }) => described(name, help))
    const flags = options.flatMap(({ short, long, help }) =>
      [short, long].flatMap((name) => (name === null ? [] : [described(name, help)])),
    )
    return `    (${quoted(path)})\n      below=(${words.join(' ')})\n      flags=(${flags.join(' ')}) ;;`
  })
  return `#compdef illuminator
# Completion of illuminator for zsh: eval "$(illuminator completion zsh)"
_illuminator() {
  local at='' word
  local -a below flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
${walk.join('\n')}
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${values.join('\n')}
  esac
  case "$at" in
${lists.join('\n')}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe -o option flags
  elif (( \${#below} )); then
    _describe command below
  else
    _files
  fi
}
if [[ "\${funcstack[1]}" == _illuminator ]]; then
  _illuminator "$@"
elif (( \${+functions[compdef]} )); then
  compdef _illuminator illuminator
fi
`
}
