/** What `illuminator serve` starts with: light, so that it listens soon. The application is read once it does. */
export { createOperatorLog } from './observe/operator-log.ts'
export { tracedLog } from './observe/traced-log.ts'
export { serve } from './serve.ts'
export { closeOnSignals } from './signals.ts'
export { defaultDataFolder } from './store/data-folder.ts'
