/** Whether the server is ready, and how far it is if not. */
import { reach } from './api.js'
import { number } from './dom.js'

const EVERY_MS = 1000

/** @typedef {{ phase: string, done: number, total: number, percent: number }} Progress */
/** @typedef {import('./notices.js').Notices} Notices */

/**
 * Resolves when requests are welcome, and tells of the way there.
 * @param {Notices} notices
 */
export async function untilReady(notices) {
  while (await isLoading(notices)) await later()
}

/**
 * Tells why an answer does not begin, if it is because the model is loaded first.
 * @param {Notices} notices
 * @param {import('./models.js').Models} models
 * @param {AbortSignal} signal it has begun, or never will
 */
export async function watchStart(notices, models, signal) {
  for (await later(signal); !signal.aborted; await later(signal)) {
    if (await isLoading(notices, signal)) continue
    await models.load()
    if (!models.isLoading) break
    if (!signal.aborted) notices.wait('The model is loading. The answer follows.', null)
  }
  notices.endWait()
}

/** @param {Notices} notices @param {AbortSignal} [signal] */
async function isLoading(notices, signal) {
  const { status, progress } = await (await reach('/health')).json()
  if (status !== 'loading') return false
  if (signal?.aborted) return true
  notices.wait('The model is loading. What you ask is answered when it is there.', told(progress))
  return true
}

/** After a while, or at once when the signal fires. @param {AbortSignal} [signal] */
function later(signal) {
  return new Promise((resolve) => {
    setTimeout(resolve, EVERY_MS)
    signal?.addEventListener('abort', resolve, { once: true })
  })
}

/** @param {Progress | null | undefined} progress */
function told(progress) {
  if (!progress) return null
  const { phase, percent, total } = progress
  return { ...progress, label: total > 0 ? `${phase}, ${number(percent)} %` : phase }
}
