/**
 * For tests of the playground: a server over a fake engine, its page in a browser, and an eye on what no page of ours may
 * do: break its policy, throw, or ask anybody else for anything.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'
import { Credentials, type NewCredential } from '../server/auth/credentials.ts'
import { FakeEngine, type FakeOptions } from '../server/fake-engine.ts'
import { type RunningServer, type ServeOptions, serve } from '../server/serve.ts'
import { databaseFile } from '../server/store/data-folder.ts'
import { Database } from '../server/store/database.ts'
import type { OpenPage } from './chromium.ts'
import { KEY } from './server-state.ts'

export interface Setting {
  engine?: FakeOptions
  context?: BrowserContextOptions
  path?: string
  serve?: Partial<ServeOptions>
  /** Makes a key before the server starts, so that it needs one. */
  key?: Partial<NewCredential>
}

interface Opened {
  server: RunningServer
  folder: string
  problems: string[]
  asked: string[]
}

const opened: Opened[] = []

export async function openPlayground(open: OpenPage, setting: Setting = {}) {
  const { context = {}, path = '/' } = setting
  const folder = mkdtempSync(join(tmpdir(), 'playground-'))
  const secret = setting.key ? await newKey(folder, setting.key) : ''
  const engine = new FakeEngine(setting.engine)
  const server = await serve({
    port: 0,
    data: folder,
    load: async () => engine,
    log: () => undefined,
    ...setting.serve,
  })
  if (!setting.serve) await server.ready
  const page = await open(context)
  const problems: string[] = []
  const asked: string[] = []
  opened.push({ server, folder, problems, asked })
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('request', (request) => asked.push(request.url()))
  // Told here and not in the page: a page that is left takes what it knows with it.
  await page.exposeFunction('tellViolation', (what: string) => problems.push(what))
  await page.addInitScript(`document.addEventListener('securitypolicyviolation',
    ({ violatedDirective, blockedURI }) => tellViolation(violatedDirective + ' ' + blockedURI))`)
  await page.goto(new URL(path, server.url).href)
  return { asked, engine, page, problems, secret, server }
}

/** Call it after each test: it fails when a page did what it must not. */
export async function closePlaygrounds(): Promise<void> {
  const all = opened.splice(0)
  for (const { server, folder } of all) {
    await server.close()
    rmSync(folder, { recursive: true })
  }
  expect(all.flatMap(({ problems }) => problems)).toEqual([])
  const elsewhere = all.flatMap(({ asked, server }) =>
    asked.filter((url) => new URL(url).origin !== server.url),
  )
  expect(elsewhere).toEqual([])
}

async function newKey(folder: string, spec: Partial<NewCredential>): Promise<string> {
  const database = await Database.open(databaseFile(folder))
  const { secret } = await new Credentials(database, Date.now).create({ ...KEY, ...spec })
  await database.close()
  return secret
}

/** Types a message and sends it. */
export async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text)
  await page.keyboard.press('Enter')
}

/** Resolves when no answer is under way. */
export async function answered(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Send' }).waitFor()
}

/** The last answer's text, as it is read. */
export function lastAnswer(page: Page): Promise<string | null> {
  return page.locator('.message.assistant').last().locator('.body').textContent()
}

/** What the fake engine was asked for last. */
export function lastCall(engine: FakeEngine) {
  const call = engine.calls.at(-1)
  if (!call) throw new Error('The engine was not asked.')
  const { prompt, options } = call
  const { signal: _, ...told } = options
  return { messages: prompt, options: told }
}
