/** The two panels beside the conversation. Where there is no room for them they open over it, as dialogs. */
import { byId } from './dom.js'
import { read, write } from './storage.js'

const ROOMY = matchMedia('(min-width: 64rem)')

/** @param {string} name id of the panel, and of its button with `-open` @returns {{ open: () => void, close: () => void }} */
export function panel(name) {
  const dialog = byId(`${name}-dialog`, HTMLDialogElement)
  const content = byId(name, HTMLElement)
  const place = /** @type {HTMLElement} */ (content.parentElement)
  const opener = byId(`${name}-open`, HTMLButtonElement)
  const setting = `illuminator.panel.${name}`
  const closeDialog = () => dialog.close()

  const arrange = () => {
    if (ROOMY.matches) {
      closeDialog()
      place.append(content)
      place.hidden = read('local', setting) === 'closed'
    } else {
      dialog.append(content)
      place.hidden = true
    }
    tell()
  }
  const tell = () => {
    const isOpen = ROOMY.matches ? !place.hidden : dialog.open
    opener.setAttribute('aria-expanded', String(isOpen))
  }
  const show = (/** @type {boolean} */ isWanted) => {
    if (ROOMY.matches) {
      place.hidden = !isWanted
      write('local', setting, isWanted ? 'open' : 'closed')
    } else if (!dialog.open) dialog.showModal()
    tell()
  }
  opener.addEventListener('click', () => show(place.hidden))
  byId(`${name}-close`, HTMLButtonElement).addEventListener('click', closeDialog)
  // A click beside it: on the dialog itself, and not on what it holds.
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) closeDialog()
  })
  dialog.addEventListener('close', tell)
  ROOMY.addEventListener('change', arrange)
  arrange()
  return { open: () => show(true), close: closeDialog }
}
