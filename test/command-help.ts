/** For tests: the commands and options of the command line, as its help lists them. */
import { run } from './cli-terminal.ts'

export async function helpOf(path: readonly string[]): Promise<string> {
  return (await run([...path, '--help'])).stdout
}

/** Names, without aliases; `help` is commander's own. */
export async function subcommandsOf(path: readonly string[]): Promise<string[]> {
  const found = sectionOf(await helpOf(path), 'Commands').matchAll(/^ {2}(\w+)/gm)
  return [...found].map(([, name = '']) => name).filter((name) => name !== 'help')
}

/** As they are written in full. */
export async function optionsOf(path: readonly string[]): Promise<string[]> {
  const found = sectionOf(await helpOf(path), 'Options').matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)
  return [...found].map(([, name = '']) => name)
}

/** Every command, from the root on, each before those below it. */
export async function commandPaths(path: readonly string[] = []): Promise<(readonly string[])[]> {
  const below = await subcommandsOf(path)
  const paths = await Promise.all(below.map((name) => commandPaths([...path, name])))
  return [path, ...paths.flat()]
}

function sectionOf(help: string, title: string): string {
  const [, section = ''] = help.split(`\n${title}:\n`)
  return section.split('\n\n')[0] ?? ''
}
