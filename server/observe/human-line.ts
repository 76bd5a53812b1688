/** A line of the log for people: time, level, message, then the rest as `name=value`; a stack on lines of its own. */

interface LoggedLine extends Record<string, unknown> {
  level: string
  time: string
  msg: string
}

interface LoggedCause {
  message: string
  stack?: string
  cause?: LoggedCause
}

/** What the message says already. */
const SAID = new Set(['level', 'time', 'msg', 'error', 'method', 'endpoint', 'status'])

/** @param line of JSON, as pino writes it */
export function humanLine(line: string): string {
  const logged = JSON.parse(line) as LoggedLine
  const facts = Object.entries(logged)
    .filter(([name]) => !SAID.has(name))
    .map(([name, value]) => `${name}=${shown(value)}`)
  const { error } = logged as { error?: LoggedCause }
  const head = [logged.time.slice(11, 19), logged.level, indented(logged.msg), ...facts].join(' ')
  return error ? `${head}\n    ${stackOf(error)}\n` : `${head}\n`
}

function stackOf({ stack, message, cause }: LoggedCause): string {
  const own = indented(stack ?? message)
  return cause ? `${own}\n    caused by ${stackOf(cause)}` : own
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return printable(/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text))
}

/** Only a line of ours begins at the left. */
const indented = (text: string): string => printable(text).replaceAll('\n', '\n    ')

/** A terminal obeys control characters; a log must not be a way to give it orders. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/g, (control) => {
    return `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
