/** The server as a library: the application without a socket and the one that listens. */
export { type AppOptions, createApp } from './app.ts'
export { SCOPES, type Scope } from './auth/caller.ts'
export { type Credential, Credentials, type NewCredential } from './auth/credentials.ts'
export type { JwtSettings } from './auth/jwt.ts'
export { type PromptLine, readPromptLine } from './contract/prompt-line.ts'
export { CONTRACT_DEFAULTS } from './contract/sampling.ts'
export type { ServedEngine } from './contract/served-engine.ts'
export { Lifecycle, type Phase } from './lifecycle.ts'
export { TIER_NAMES, type Tier } from './limits/tiers.ts'
export type { Catalog, LoadHooks, ModelEvent, ModelSource } from './models/model-source.ts'
export { Models, type ModelsOptions } from './models/models.ts'
export type { Answered } from './observe/answered.ts'
export {
  createOperatorLog,
  type LogLevel,
  type OperatorLog,
} from './observe/operator-log.ts'
export type { Requested } from './observe/requested.ts'
export { type RunningServer, type ServedModels, type ServeOptions, serve } from './serve.ts'
export { closeOnSignals } from './signals.ts'
export { databaseFile, defaultDataFolder } from './store/data-folder.ts'
export { Database } from './store/database.ts'
