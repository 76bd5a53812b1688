/** Prints docs/cli-reference.md: every command's own help. */
import { commandPaths, helpOf } from './command-help.ts'

const HEAD = `# Every command and option

<!-- Printed by test/print-cli-reference.ts: UPDATE_DOCS=1 npm test -- cli/reference -->

[cli.md](cli.md) tells how they are used; this is what \`--help\` says.
`

export async function cliReference(): Promise<string> {
  const paths = await commandPaths()
  const sections = paths.map(async (path) => {
    const title = ['illuminator', ...path].join(' ')
    const help = (await helpOf(path)).trim()
    // A program of its own has its own help.
    const body = help === '' ? `\`${title} --help\` tells.` : `\`\`\`text\n${help}\n\`\`\``
    return `## ${title}\n\n${body}\n`
  })
  return [HEAD, ...(await Promise.all(sections))].join('\n')
}
