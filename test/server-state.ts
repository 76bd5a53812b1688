/** For tests of keys and limits: an application with state in memory, a clock one can set, and keys of any kind. */
import { createApp } from '../server/app.ts'
import type { Scope } from '../server/auth/caller.ts'
import type { NewCredential } from '../server/auth/credentials.ts'
import type { JwtSettings } from '../server/auth/jwt.ts'
import { FakeEngine, type FakeOptions } from '../server/fake-engine.ts'
import { Lifecycle } from '../server/lifecycle.ts'
import type { AdmissionQueue } from '../server/limits/queue.ts'
import { Models } from '../server/models/models.ts'
import { openState } from '../server/state.ts'
import { IN_MEMORY } from '../server/store/data-folder.ts'

export interface StateSetting {
  engine?: FakeOptions
  jwt?: JwtSettings
  queue?: AdmissionQueue
  file?: string
  /** Epoch milliseconds. */
  now?: number
}

/** What a key is in tests that do not say. */
export const KEY: NewCredential = {
  kind: 'key',
  name: 'test',
  tier: 'enterprise',
  scopes: ['generate', 'batch', 'models:write', 'admin'],
  limits: { requestsPerMinute: null, tokensPerHour: null },
  expiresAt: null,
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

export async function stateApp(setting: StateSetting = {}) {
  const clock = { now: setting.now ?? Date.now() }
  const logged: string[] = []
  const log = (line: string) => logged.push(line)
  const { jwt, queue, file = IN_MEMORY } = setting
  const state = await openState({ file, log, now: () => clock.now, ...(jwt ? { jwt } : {}) })
  const engine = new FakeEngine(setting.engine)
  const lifecycle = new Lifecycle(Models.of(engine))
  const app = createApp({ lifecycle, state, log, ...(queue ? { queue } : {}) })
  const newKey = async (spec: Partial<NewCredential> = {}) => {
    const { credential, secret } = await state.credentials.create({ ...KEY, ...spec })
    return { id: credential.id, secret, headers: bearer(secret) }
  }
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    app.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  return { app, clock, engine, lifecycle, logged, newKey, post, state }
}

/** A key with these scopes alone. */
export const only = (...scopes: Scope[]): Partial<NewCredential> => ({ scopes })
