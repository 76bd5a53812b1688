/** What the browser keeps, which may be blocked or full: then it is kept until the page is left. */

/** @type {Map<string, string>} */
const unkept = new Map()

/** @typedef {'local' | 'session'} Area */

/** @param {Area} area */
function open(area) {
  try {
    return area === 'local' ? window.localStorage : window.sessionStorage
  } catch {
    // Blocked by the browser's settings.
    return null
  }
}

/** @param {Area} area @param {string} name */
export function read(area, name) {
  return unkept.get(`${area} ${name}`) ?? open(area)?.getItem(name) ?? null
}

/**
 * @param {Area} area
 * @param {string} name
 * @param {string} value
 * @returns {boolean} whether it outlives the page
 */
export function write(area, name, value) {
  try {
    const storage = open(area)
    storage?.setItem(name, value)
    unkept.delete(`${area} ${name}`)
    if (storage) return true
  } catch {
    // Full: below, as if there were none.
  }
  unkept.set(`${area} ${name}`, value)
  return false
}

/** @param {Area} area @param {string} name */
export function remove(area, name) {
  unkept.delete(`${area} ${name}`)
  open(area)?.removeItem(name)
}

/** Names that begin so. @param {Area} area @param {string} prefix */
export function names(area, prefix) {
  const kept = Object.keys(open(area) ?? {})
  const loose = [...unkept.keys()]
    .filter((name) => name.startsWith(`${area} `))
    .map((name) => name.slice(area.length + 1))
  return [...new Set([...kept, ...loose])].filter((name) => name.startsWith(prefix))
}
