/** The server as a library: the application without a socket and the one that listens. */
export { type AppOptions, createApp } from './app.ts'
export { CONTRACT_DEFAULTS } from './contract/sampling.ts'
export type { ServedEngine } from './contract/served-engine.ts'
export { Lifecycle, type Phase } from './lifecycle.ts'
export {
  createOperatorLog,
  type LogLevel,
  type OperatorLog,
} from './observe/operator-log.ts'
export { closeOnSignals, type RunningServer, type ServeOptions, serve } from './serve.ts'
