/** Elements out of names, attributes and children. Text is always text: nothing here takes markup. */

/** @typedef {string | number | boolean | null | undefined | ((event: any) => void)} Property */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, Property>} [properties] attributes; a function listens to the event of that name
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') node.addEventListener(name, value)
    else if (value === true) node.setAttribute(name, '')
    else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, String(value))
    }
  }
  node.append(...children.filter((child) => child !== null))
  return node
}

/**
 * A button that submits nothing.
 * @param {string} label
 * @param {(event: MouseEvent) => void} click
 * @param {Record<string, Property>} [properties]
 */
export function button(label, click, properties = {}) {
  return el('button', { type: 'button', click, ...properties }, label)
}

/**
 * The element of this id; the page has it.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const node = document.getElementById(id)
  if (!(node instanceof type)) throw new Error(`The page has no #${id} that is a ${type.name}.`)
  return node
}

/** A number as people write it. @param {number} value @param {number} [digits] */
export function number(value, digits = 0) {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits }
  return value.toLocaleString('en', options)
}
