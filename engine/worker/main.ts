/** What the engine's worker thread runs. */
import { parentPort } from 'node:worker_threads'
import { serveLoop } from './loop-side.ts'

if (parentPort) serveLoop(parentPort)
