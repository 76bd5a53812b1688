/** Requests to the server that the page came from, with the key where there is one. */
import { currentKey } from './key.js'
import { refusal, unreachable } from './trouble.js'

/**
 * @param {string} path
 * @param {RequestInit & { headers?: Record<string, string> }} [init]
 * @returns {Promise<Response>} a good one
 * @throws {import('./trouble.js').Trouble} for every other; an abort stays what it is
 */
export async function call(path, init = {}) {
  const response = await reach(path, init)
  if (!response.ok) throw await refusal(response)
  return response
}

/**
 * Whatever the status.
 * @param {string} path
 * @param {RequestInit & { headers?: Record<string, string> }} [init]
 */
export async function reach(path, init = {}) {
  const key = currentKey()
  const headers = { ...init.headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) }
  try {
    return await fetch(path, { ...init, headers, cache: 'no-store', credentials: 'omit' })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw unreachable(error)
  }
}
