// One engine for the whole server: Next.js reloads modules while you develop, and each reload would load the model again.
import { Engine } from 'illuminator'

export function sharedEngine() {
  globalThis.illuminator ??= Engine.load(process.env.MODEL)
  return globalThis.illuminator
}
