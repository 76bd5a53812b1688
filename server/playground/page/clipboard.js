/** Copying, also where the browser has no clipboard for pages because the connection is not secure. */

import { button } from './dom.js'

/** @param {() => string} text */
export const copyButton = (text) =>
  copies(
    button('Copy', () => {}, { class: 'quiet' }),
    text,
  )

/** @param {string} text @returns {Promise<boolean>} whether it is there */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

/** @param {string} text */
function copyBySelection(text) {
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'visually-hidden'
  const before = document.activeElement
  document.body.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  if (before instanceof HTMLElement) before.focus()
  return done
}

/**
 * A click on it copies, and its label says so for a moment.
 * @param {HTMLButtonElement} button
 * @param {() => string} text
 */
export function copies(button, text) {
  const label = button.textContent
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  button.addEventListener('click', async () => {
    button.textContent = (await copy(text())) ? 'Copied' : 'Not copied'
    clearTimeout(timer)
    timer = setTimeout(() => {
      button.textContent = label
    }, 1500)
  })
  return button
}
