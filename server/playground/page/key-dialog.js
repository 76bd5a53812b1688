/** Where the API key is entered, changed and forgotten. */
import { button, byId, el } from './dom.js'
import { currentKey, forgetKey, isRemembered, setKey } from './key.js'

/** What a header can hold. */
const HEADER_TEXT = /^[\x21-\x7e]+$/

const WHY = 'Where the server needs one. It is sent to this server only.'

export class KeyDialog {
  #why = el('p', { id: 'key-why' })
  #error = el('p', { id: 'key-error', class: 'error', role: 'alert' })
  #input = el('input', {
    id: 'key',
    type: 'password',
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: 'false',
    'aria-describedby': 'key-why key-error',
  })
  #remember = el('input', { id: 'key-remember', type: 'checkbox' })
  #forget = button('Forget it', () => this.#take(null), { class: 'quiet' })
  #dialog = el('dialog', { id: 'key-dialog', class: 'box', 'aria-labelledby': 'key-title' })
  #open = byId('key-open', HTMLButtonElement)

  /** @param {() => void} onChanged another key, or none */
  constructor(onChanged) {
    this.onChanged = onChanged
    this.#dialog.append(this.#form())
    document.body.append(this.#dialog)
    this.#open.addEventListener('click', () => this.ask())
    this.#dialog.addEventListener('close', () => {
      this.#input.value = ''
      this.#complain('')
      this.#label()
    })
    this.#label()
  }

  /** @param {string} [why] */
  ask(why = WHY) {
    this.#why.textContent = why
    this.#remember.checked = isRemembered()
    this.#forget.hidden = currentKey() === null
    if (!this.#dialog.open) this.#dialog.showModal()
    this.#input.focus()
  }

  #form() {
    const form = el(
      'form',
      {},
      el('h2', { id: 'key-title' }, 'API key'),
      this.#why,
      el('label', { for: 'key' }, 'Key'),
      this.#input,
      this.#error,
      el(
        'label',
        { class: 'switch' },
        this.#remember,
        el('span', {}, 'Remember on this device; else it is forgotten with this tab'),
      ),
      el(
        'div',
        { class: 'row' },
        this.#forget,
        el('span', { class: 'space' }),
        button('Cancel', () => this.#dialog.close()),
        el('button', { type: 'submit', class: 'primary' }, 'Use'),
      ),
    )
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      const key = this.#input.value.trim()
      if (HEADER_TEXT.test(key)) return this.#take(key)
      this.#complain(key === '' ? 'Enter a key.' : 'A key has letters, digits and signs only.')
      this.#input.focus()
    })
    return form
  }

  /** @param {string | null} key */
  #take(key) {
    if (key === null) forgetKey()
    else setKey(key, this.#remember.checked)
    this.#dialog.close()
    this.onChanged()
  }

  /** @param {string} text */
  #complain(text) {
    this.#error.textContent = text
    if (text === '') this.#input.removeAttribute('aria-invalid')
    else this.#input.setAttribute('aria-invalid', 'true')
  }

  #label() {
    this.#open.textContent = currentKey() === null ? 'Key' : 'Key set'
  }
}
