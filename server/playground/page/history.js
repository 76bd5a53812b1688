/** The list of conversations: open one, begin another, remove one or all. */
import { button, byId, el } from './dom.js'

/** @typedef {import('./conversations.js').Conversation} Conversation */

/**
 * @param {import('./conversations.js').Conversations} conversations
 * @param {() => void} onChosen another conversation is the current one
 */
export function showHistory(conversations, onChosen) {
  const list = byId('conversations', HTMLElement)
  const clear = byId('clear-all', HTMLButtonElement)
  const choose = (/** @type {() => void} */ act) => {
    act()
    onChosen()
  }
  const draw = () => {
    const { current } = conversations
    const items = conversations.list.map((conversation) =>
      item(conversation, conversation.id === current.id, {
        open: () => choose(() => conversations.select(conversation.id)),
        remove: async () => {
          if (!(await confirmed(`Remove “${conversation.title}”?`, 'Remove'))) return
          choose(() => conversations.remove(conversation.id))
        },
      }),
    )
    const none = el('li', { class: 'hint' }, 'None yet. They are kept in this browser only.')
    list.replaceChildren(...(items.length > 0 ? items : [none]))
    clear.hidden = items.length === 0
  }
  byId('new', HTMLButtonElement).addEventListener('click', () =>
    choose(() => conversations.create()),
  )
  clear.addEventListener('click', async () => {
    if (await confirmed('Remove all conversations from this browser?', 'Remove all')) {
      choose(() => conversations.clear())
    }
  })
  conversations.addEventListener('change', draw)
  draw()
}

/**
 * @param {Conversation} conversation
 * @param {boolean} isCurrent
 * @param {{ open: () => void, remove: () => void }} acts
 */
function item({ title }, isCurrent, { open, remove }) {
  return el(
    'li',
    {},
    button(title, open, { class: 'open', 'aria-current': isCurrent ? 'true' : null }),
    button('×', remove, { class: 'quiet remove', 'aria-label': `Remove ${title}` }),
  )
}

/** @param {string} question @param {string} yes @returns {Promise<boolean>} */
function confirmed(question, yes) {
  const dialog = byId('confirm-dialog', HTMLDialogElement)
  const accept = byId('confirm-yes', HTMLButtonElement)
  byId('confirm-text', HTMLElement).textContent = question
  accept.textContent = yes
  dialog.returnValue = ''
  dialog.showModal()
  return new Promise((resolve) => {
    accept.onclick = () => dialog.close('yes')
    byId('confirm-no', HTMLButtonElement).onclick = () => dialog.close()
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true })
  })
}
