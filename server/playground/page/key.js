/** The API key: kept for this tab, or on this device when asked to. It goes into a header and nowhere else. */
import { read, remove, write } from './storage.js'

const NAME = 'illuminator.key'

export function currentKey() {
  return read('session', NAME) ?? read('local', NAME)
}

export function isRemembered() {
  return read('local', NAME) !== null
}

/** @param {string} key @param {boolean} remember */
export function setKey(key, remember) {
  forgetKey()
  write(remember ? 'local' : 'session', NAME, key)
}

export function forgetKey() {
  remove('session', NAME)
  remove('local', NAME)
}
