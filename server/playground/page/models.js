/** The models that can be asked, as a choice. */
import { call } from './api.js'
import { byId, el } from './dom.js'
import { read, write } from './storage.js'

/** @typedef {{ id: string, description: string, state?: 'loaded' | 'loading' | 'unloaded' }} Card */

const STATES = { loading: 'loading', unloaded: 'loaded when asked' }
const NAME = 'illuminator.model'

export class Models {
  #select = byId('model', HTMLSelectElement)
  /** @type {Map<string, Card>} */
  #cards = new Map()

  constructor() {
    this.#select.addEventListener('change', () => write('local', NAME, this.#select.value))
  }

  /** The id of the chosen one; empty: none is known yet, and the server takes its own. */
  get chosen() {
    return this.#select.value
  }

  /** Whether the chosen one was being loaded, when last asked. */
  get isLoading() {
    return this.#cards.get(this.chosen)?.state === 'loading'
  }

  /** @throws {import('./trouble.js').Trouble} */
  async load() {
    const { data, models = [] } = await (await call('/v1/models')).json()
    this.#cards = new Map(/** @type {Card[]} */ (models).map((card) => [card.id, card]))
    const ids = /** @type {{ id: string }[]} */ (data).map(({ id }) => id)
    const wanted = this.#select.value || read('local', NAME)
    this.#select.replaceChildren(...ids.map((id) => option(id, this.#cards.get(id))))
    this.#select.disabled = ids.length === 0
    if (wanted !== null && ids.includes(wanted)) this.#select.value = wanted
  }
}

/** @param {string} id @param {Card | undefined} card */
function option(id, card) {
  const note = card?.state && card.state !== 'loaded' ? ` (${STATES[card.state]})` : ''
  return el(
    'option',
    { value: id, title: card?.description },
    id.slice(id.lastIndexOf('/') + 1) + note,
  )
}
