/** What begins with a slash in a chat: `/set`, `/show`, `/load` and the rest, one table for running, help and the tab key. */
import { nearest, suggestion } from '../config/nearest.ts'
import { CommandError, UsageError } from '../exit.ts'
import { note } from '../io.ts'
import { loadChat, pathOf, saveChat } from './chat-file.ts'
import { PARAMETERS, parameterLines, setParameter, shownLine } from './parameters.ts'
import type { Talk } from './talk.ts'

interface SlashCommand {
  readonly names: readonly string[]
  readonly argument?: string
  readonly help: string
  /** "leave" ends the chat. */
  run(talk: Talk, argument: string): Promise<void> | void | 'leave'
}

const COMMANDS: readonly SlashCommand[] = [
  {
    names: ['/set'],
    argument: '<parameter> <value>',
    help: 'change a parameter ("default" takes it back), or stats on | off',
    run: set,
  },
  {
    names: ['/show'],
    argument: '[model | parameters | system | messages]',
    help: 'what holds now',
    run: show,
  },
  {
    names: ['/system'],
    argument: '[text]',
    help: 'what the model is told before the conversation; "" is nothing',
    run: setSystem,
  },
  {
    names: ['/load'],
    argument: '<file>',
    help: 'go on with a saved conversation',
    run: load,
  },
  {
    names: ['/save'],
    argument: '<file>',
    help: 'save the conversation, as JSON',
    run: save,
  },
  {
    names: ['/clear'],
    help: 'forget the conversation',
    run: (talk) => {
      talk.clear()
      note(talk.io, 'The conversation is forgotten.')
    },
  },
  { names: ['/regen'], help: 'answer the last question once more', run: regenerate },
  { names: ['/bye', '/exit'], help: 'leave (so does Ctrl-D)', run: () => 'leave' },
  { names: ['/help', '/?'], help: 'this list', run: help },
]

/** A path such as `/etc/hosts` at the beginning of a question is no command. */
const SHAPE = /^\/([a-z]+|\?)(?=\s|$)\s*([\s\S]*)$/i

/**
 * Runs what is a command.
 * @returns "message" for what is none, "leave" where the chat is to end
 */
export async function runSlashCommand(
  talk: Talk,
  text: string,
): Promise<'message' | 'done' | 'leave'> {
  const [, word, argument = ''] = SHAPE.exec(text.trim()) ?? []
  if (word === undefined) return 'message'
  const name = `/${word.toLowerCase()}`
  const command = COMMANDS.find(({ names }) => names.includes(name))
  if (!command) {
    const near = nearest(
      name,
      COMMANDS.flatMap(({ names }) => names),
    )
    const advice = near === null ? '/help lists them.' : `did you mean ${near}?`
    note(talk.io, `There is no command ${name}; ${advice}`)
    return 'done'
  }
  try {
    return (await command.run(talk, argument.trim())) ?? 'done'
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof CommandError)) throw error
    note(talk.io, error.message)
    return 'done'
  }
}

/** What a line could become. */
export function completions(line: string): string[] {
  const candidates = line.startsWith('/set ')
    ? [...PARAMETERS, 'stats'].map((name) => `/set ${name} `)
    : line.startsWith('/show ')
      ? Object.keys(SHOWN).map((what) => `/show ${what}`)
      : COMMANDS.flatMap(({ names, argument }) =>
          names.map((name) => (argument ? `${name} ` : name)),
        )
  return line.startsWith('/') ? candidates.filter((each) => each.startsWith(line)) : []
}

function help({ io }: Talk): void {
  const rows = COMMANDS.map(({ names, argument, help: text }) => {
    const usage = [names.join(', '), ...(argument ? [argument] : [])].join(' ')
    return [usage, text] as const
  })
  const width = Math.max(...rows.map(([usage]) => usage.length))
  for (const [usage, text] of rows) note(io, `${usage.padEnd(width)}  ${text}`)
  note(io, `${'"""'.padEnd(width)}  opens and closes a message of several lines`)
  note(io, `${'Ctrl-C'.padEnd(width)}  stop the answer`)
}

/** Also as Ollama has it: `/set parameter temperature 1`, `/set verbose`, `/set quiet`. */
function set(talk: Talk, argument: string): void {
  const words = argument.split(/\s+/).filter((word) => word !== '')
  if (words[0] === 'parameter') words.shift()
  const [name, ...rest] = words
  const value = rest.join(' ')
  if (name === undefined) show(talk, 'parameters')
  else if (name === 'system') setSystem(talk, argument.replace(/^\s*system\s*/, ''))
  else if (/^(stats|verbose|quiet)$/.test(name)) setStats(talk, name, value)
  else {
    talk.parameters = setParameter(talk.parameters, name, value)
    note(talk.io, `${name} is ${value}.`)
  }
}

function setStats(talk: Talk, name: string, value: string): void {
  if (!['', 'on', 'off'].includes(value)) throw new UsageError(`${name} is on or off.`)
  // "quiet" means the contrary, and so does "off".
  talk.showsStats = (name === 'quiet') === (value === 'off')
  note(talk.io, `Counts and speed are ${talk.showsStats ? 'shown' : 'not shown'} after answers.`)
}

function setSystem(talk: Talk, argument: string): void {
  if (argument === '') {
    show(talk, 'system')
    return
  }
  talk.system = argument.replace(/^"(.*)"$/s, '$1') || null
  note(talk.io, talk.system === null ? 'There is no system message.' : 'The system message is set.')
}

const SHOWN: Readonly<Record<string, (talk: Talk) => string[]>> = {
  model: ({ backend }) => [
    shownLine('model', `${backend.model ?? 'the server’s usual one'} on ${backend.place}`),
    ...(backend.contextLength === null
      ? []
      : [shownLine('context', `${backend.contextLength} tokens`)]),
  ],
  system: ({ system }) => [shownLine('system', system ?? 'none')],
  parameters: ({ parameters, showsStats }) => [
    ...parameterLines(parameters),
    shownLine('stats', showsStats ? 'on' : 'off'),
  ],
  messages: ({ messages }) =>
    messages.length === 0
      ? ['Nothing was said yet.']
      : messages.map(({ role, content }) => `${role}: ${content}`),
}

function show(talk: Talk, argument: string): void {
  const wanted = argument === '' ? ['model', 'system', 'parameters'] : [argument]
  for (const what of wanted) {
    const lines = Object.hasOwn(SHOWN, what) ? SHOWN[what]?.(talk) : undefined
    if (!lines) throw new UsageError(`/show ${what}: ${suggestion(what, Object.keys(SHOWN))}`)
    for (const line of lines) note(talk.io, line)
  }
}

async function load(talk: Talk, file: string): Promise<void> {
  if (file === '') throw new UsageError('Load which file? /load <file>')
  talk.messages = await loadChat(pathOf(file))
  note(talk.io, `${talk.messages.length} messages from ${file}.`)
}

async function save(talk: Talk, file: string): Promise<void> {
  if (file === '') throw new UsageError('Save to which file? /save <file>')
  await saveChat(pathOf(file), talk.backend.model, talk.messages)
  note(talk.io, `${talk.messages.length} messages in ${file}.`)
}

async function regenerate(talk: Talk): Promise<void> {
  if (!(await talk.regenerate())) note(talk.io, 'Nothing was asked yet.')
}
