/** Puts the playground together. */
import { Announcer } from './announcer.js'
import { Chat, requestOf } from './chat.js'
import { copies } from './clipboard.js'
import { Conversations } from './conversations.js'
import { curlOf } from './curl.js'
import { byId } from './dom.js'
import { untilReady, watchStart } from './health.js'
import { showHistory } from './history.js'
import { currentKey } from './key.js'
import { KeyDialog } from './key-dialog.js'
import { isSend } from './message-view.js'
import { Models } from './models.js'
import { Notices } from './notices.js'
import { panel } from './panels.js'
import { Settings } from './settings.js'
import { read, write } from './storage.js'
import { Thread } from './thread.js'
import { Trouble } from './trouble.js'

const prompt = byId('prompt', HTMLTextAreaElement)
const send = byId('send', HTMLButtonElement)
const stop = byId('stop-answer', HTMLButtonElement)
const wantsTokens = byId('wants-tokens', HTMLInputElement)

const historyPanel = panel('history')
const settingsPanel = panel('settings')
const conversations = new Conversations()
const settings = new Settings()
const notices = new Notices()
const models = new Models()
const thread = new Thread(
  {
    edit: (message, text) => begin(() => chat.edit(message, text)),
    regenerate: () => begin(() => chat.regenerate()),
  },
  (text) => begin(() => chat.send(text)),
)
const chat = new Chat({
  conversations,
  thread,
  announcer: new Announcer(),
  choices: () => ({ model: models.chosen, wantsTokens: wantsTokens.checked }),
  onTrouble: (trouble) => explain(trouble, () => begin(() => chat.regenerate())),
})
/** Until the first text of an answer. */
let starting = new AbortController()
/** What the missing key kept from being done. @type {(() => void) | null} */
let afterKey = null
const keys = new KeyDialog(() => {
  const act = afterKey ?? start
  afterKey = null
  notices.clear()
  act()
})

/**
 * Goes ahead, unless a setting makes no sense.
 * @param {() => Promise<void> | undefined} act
 */
function begin(act) {
  const wrong = settings.firstWrong()
  if (wrong) {
    settingsPanel.open()
    return wrong.focus()
  }
  notices.clear()
  keepSettings()
  act()?.catch(explain)
  toPrompt()
}

/** Where a keyboard goes on; on a touch screen one would jump up. */
function toPrompt() {
  if (!matchMedia('(pointer: coarse)').matches) prompt.focus()
}

function submit() {
  const text = prompt.value
  if (chat.isBusy || text.trim() === '') return
  begin(() => {
    prompt.value = ''
    return chat.send(text)
  })
}

/** Says what is wrong and offers what can be done. @param {unknown} trouble @param {() => void} [retry] */
function explain(trouble, retry) {
  if (!(trouble instanceof Trouble)) throw trouble
  const { kind, message, param, requestId, retryAfter } = trouble
  const again = retry ? { label: 'Try again', act: retry } : null
  switch (kind) {
    case 'key':
      afterKey = retry ?? null
      notices.show({
        text: message,
        action: { label: 'Enter a key', act: () => keys.ask(message) },
      })
      return keys.ask(message)
    case 'scope':
      afterKey = retry ?? null
      return notices.show({
        text: message,
        action: { label: 'Use another key', act: () => keys.ask() },
      })
    case 'loading':
      return void waitUntilReady(retry)
    case 'limit':
    case 'busy':
      return notices.show({ text: message, seconds: retryAfter ?? 5, action: again })
    case 'refused':
      settings.mark(param, message)
      return notices.show({ text: message, action: again })
    case 'server': {
      const reference = requestId ? ` (request ${requestId})` : ''
      return notices.show({ text: message + reference, action: again })
    }
    default:
      return notices.show({ text: message, action: again })
  }
}

/** @param {() => void} [then] */
async function waitUntilReady(then) {
  try {
    await untilReady(notices)
    notices.clear()
    await models.load()
    then?.()
  } catch (error) {
    explain(error, then ?? start)
  }
}

function keepSettings() {
  const { current } = conversations
  current.system = settings.system
  current.sampling = settings.sampling
}

function showConversation() {
  const { current } = conversations
  settings.show(current.system, current.sampling)
  chat.show()
}

function showBusy() {
  send.hidden = chat.isBusy
  const hadFocus = document.activeElement === stop
  stop.hidden = !chat.isBusy
  if (hadFocus) prompt.focus()
  document.body.classList.toggle('busy', chat.isBusy)
  starting.abort()
  if (!chat.isBusy) return
  starting = new AbortController()
  watchStart(notices, models, starting.signal).catch((trouble) => {
    // The answer itself meets the same.
    if (!(trouble instanceof Trouble)) throw trouble
  })
}

async function start() {
  try {
    await models.load()
  } catch (error) {
    explain(error, start)
  }
}

function listen() {
  byId('composer', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault()
    submit()
  })
  prompt.addEventListener('keydown', (event) => {
    if (!isSend(event)) return
    event.preventDefault()
    submit()
  })
  stop.addEventListener('click', () => chat.stop())
  document.addEventListener('keydown', ({ key, defaultPrevented }) => {
    if (key === 'Escape' && !defaultPrevented && !document.querySelector('dialog[open]'))
      chat.stop()
  })
  wantsTokens.checked = read('local', 'illuminator.tokens') === 'yes'
  wantsTokens.addEventListener('change', () =>
    write('local', 'illuminator.tokens', wantsTokens.checked ? 'yes' : 'no'),
  )
  settings.addEventListener('change', () => {
    keepSettings()
    conversations.save(conversations.current)
  })
  conversations.addEventListener('full', () =>
    notices.show({
      text: 'The browser keeps no more: remove some conversations, or this one is lost.',
    }),
  )
  chat.addEventListener('busy', showBusy)
  chat.addEventListener('text', () => starting.abort())
  window.addEventListener('pagehide', () => conversations.save(conversations.current))
  copies(byId('copy-curl', HTMLButtonElement), () => {
    keepSettings()
    const body = requestOf(conversations.current, models.chosen, wantsTokens.checked)
    return curlOf(location.origin, body, currentKey() !== null)
  })
}

listen()
showHistory(conversations, () => {
  historyPanel.close()
  showConversation()
  toPrompt()
})
showConversation()
showBusy()
await start()
