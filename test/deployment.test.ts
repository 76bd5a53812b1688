/** The files in `deploy/` against the product: flags, variables and paths in them exist, and stopping gets its time. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { OTHER_VARIABLES, settingsOf } from '../cli/config/settings.ts'
import { serveCommand } from './print-configuration.ts'
import { testApp } from './server-app.ts'

const read = (name: string): string =>
  readFileSync(join(import.meta.dirname, '..', 'deploy', name), 'utf8')

const DOCKERFILE = read('Dockerfile')
const COMPOSE = read('compose.yaml')
const UNIT = read('illuminator.service')

const first = (text: string, pattern: RegExp): string => {
  const [, found] = pattern.exec(text) ?? []
  if (found === undefined) throw new Error(`nothing matches ${pattern}`)
  return found
}

/** What each of them runs, without the program itself. */
const ARGUMENTS = {
  Dockerfile: JSON.parse(first(DOCKERFILE, /^CMD (\[.*\])$/m)) as string[],
  'compose.yaml': JSON.parse(first(COMPOSE, /^ {4}command: (\[.*\])$/m)) as string[],
  'illuminator.service': first(UNIT, /^ExecStart=\S*env illuminator (.*)$/m).split(' '),
}

/** The variables that each of them sets. */
const VARIABLES = {
  Dockerfile: [...DOCKERFILE.matchAll(/^(?:ENV| {3}) (ILLUMINATOR_\w+)=(\S*)/gm)],
  'compose.yaml': [...COMPOSE.matchAll(/^ {6}(ILLUMINATOR_\w+): "(.*)"$/gm)],
  'illuminator.service': [...UNIT.matchAll(/^Environment=(ILLUMINATOR_\w+)=(\S*)$/gm)],
}

type File = keyof typeof ARGUMENTS
const FILES = Object.keys(ARGUMENTS) as File[]

/** The settings that come of a file, read by the very code that reads them in `serve`. */
async function settings(file: File): Promise<Record<string, unknown>> {
  // A container has what its image sets as well.
  const lists =
    file === 'compose.yaml' ? [VARIABLES.Dockerfile, VARIABLES[file]] : [VARIABLES[file]]
  const env = Object.fromEntries(lists.flat().map(([, name = '', value = '']) => [name, value]))
  const [verb, ...args] = ARGUMENTS[file]
  expect(verb).toBe('serve')
  let found: Record<string, unknown> = {}
  const command = serveCommand(env)
  command.exitOverride().action((flags: Record<string, unknown>) => {
    found = flags
  })
  await command.parseAsync(args, { from: 'user' })
  return found
}

test.each(FILES)('%s: flags and variables exist and have values that serve takes', async (file) => {
  expect(VARIABLES[file].length).toBeGreaterThan(1)
  expect(await settings(file)).toMatchObject({
    drain: 30,
    logFormat: expect.stringMatching(/json/),
  })
})

test('a variable or flag that only a comment names exists as well', () => {
  const known = [
    ...settingsOf(serveCommand()).map(({ variable }) => variable),
    ...OTHER_VARIABLES.map(({ name }) => name),
  ]
  const named = [DOCKERFILE, COMPOSE, UNIT].flatMap((text) => text.match(/ILLUMINATOR_\w+/g) ?? [])
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((name) => !known.includes(name))).toEqual([])
})

test('stopping by force comes later than the end of the drain', async () => {
  const seconds = {
    'compose.yaml': Number(first(COMPOSE, /stop_grace_period: (\d+)s/)),
    'illuminator.service': Number(first(UNIT, /^TimeoutStopSec=(\d+)$/m)),
  }
  for (const file of ['compose.yaml', 'illuminator.service'] as const) {
    const { drain } = await settings(file)
    expect(seconds[file], file).toBeGreaterThanOrEqual(Number(drain) + 10)
  }
  expect(DOCKERFILE).toMatch(/^STOPSIGNAL SIGTERM$/m)
  expect(UNIT).toMatch(/^KillSignal=SIGTERM$/m)
})

test('the health check asks a path that is there, at the port that is served', async () => {
  const path = first(DOCKERFILE, /ILLUMINATOR_PORT\}(\/[\w/]+)`/)
  expect((await testApp().app.request(path)).status).toBe(200)
  const { port, host } = await settings('Dockerfile')
  expect(first(DOCKERFILE, /^EXPOSE (\d+)$/m)).toBe(String(port))
  expect(host).toBe('0.0.0.0')
  expect(first(COMPOSE, /127\.0\.0\.1:\d+:(\d+)"/)).toBe(String(port))
})

test('nobody in a container or a unit is root', () => {
  expect(DOCKERFILE).toMatch(/^USER node$/m)
  expect(DOCKERFILE.indexOf('USER node')).toBeLessThan(DOCKERFILE.indexOf('ENTRYPOINT'))
  expect(UNIT).toMatch(/^DynamicUser=yes$/m)
  expect(COMPOSE).toMatch(/cap_drop: \["ALL"\]/)
})
