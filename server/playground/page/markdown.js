/**
 * Markdown of an answer as elements. An answer is a stranger's text: the parser's tokens become elements of a fixed list,
 * and everything else, HTML too, stays text. No markup is ever handed to the browser.
 */
import { copyButton } from './clipboard.js'
import { el } from './dom.js'

/** @typedef {ReturnType<import('markdown-it').default['parse']>[number]} Token */

/** @type {import('markdown-it').default} */
const parser = /** @type {any} */ (globalThis).markdownit({ html: false, linkify: true })
// Only what says of itself that it is an address.
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false })
// A picture would tell its server who reads.
parser.disable('image')

/** @type {ReadonlySet<string>} */
const PLAIN = new Set(
  'p ul ol li blockquote em strong s thead tbody tr th td h3 h4 h5 h6'.split(' '),
)

/** The blocks on a page, by the lines that they came from. @type {WeakMap<Element, string>} */
const sources = new WeakMap()

/**
 * Makes `target` show the text. Blocks that are there already stay, so that a stream redraws only its end.
 * @param {Element} target
 * @param {string} text
 * @param {boolean} [isWhole] redraw all: a definition at the end may change a link at the beginning
 */
export function showMarkdown(target, text, isWhole = false) {
  const blocks = blocksOf(text)
  const kept = isWhole ? 0 : sameAtStart(target, blocks)
  while (target.children.length > kept) target.lastElementChild?.remove()
  for (const { source, tokens } of blocks.slice(kept)) {
    const block = el('div', { class: 'block' }, build(tokens))
    sources.set(block, source)
    target.append(block)
  }
}

/** @param {Element} target @param {{ source: string }[]} blocks */
function sameAtStart(target, blocks) {
  let same = 0
  for (const child of target.children) {
    if (blocks[same]?.source !== sources.get(child)) break
    same++
  }
  return same
}

/** @param {string} text */
function blocksOf(text) {
  const lines = text.split('\n')
  /** @type {{ source: string, tokens: Token[] }[]} */
  const blocks = []
  const tokens = parser.parse(text, {})
  orderHeadings(tokens)
  for (const token of tokens) {
    if (token.level === 0 && token.nesting >= 0) {
      const [from, to] = token.map ?? [0, 0]
      blocks.push({
        source: `${token.type} ${token.tag} ${lines.slice(from, to).join('\n')}`,
        tokens: [],
      })
    }
    blocks.at(-1)?.tokens.push(token)
  }
  return blocks
}

/** Headings stand below that of their message, and leave out no level, whatever the model wrote. @param {Token[]} tokens */
function orderHeadings(tokens) {
  let last = 2
  for (const token of tokens) {
    if (token.type === 'heading_open') {
      last = Math.min(Number(token.tag.slice(1)) + 2, last + 1, 6)
      token.tag = `h${last}`
    }
  }
}

/** @param {readonly Token[]} tokens */
function build(tokens) {
  const root = document.createDocumentFragment()
  /** @type {ParentNode[]} */
  const open = [root]
  for (const token of tokens) {
    // Paragraphs of a tight list.
    if (token.hidden) continue
    const here = /** @type {ParentNode} */ (open.at(-1))
    if (token.type === 'inline') here.append(build(token.children ?? []))
    else if (token.nesting === 0) here.append(leaf(token))
    else if (token.nesting < 0) open.pop()
    else {
      const { outer, inner } = container(token)
      here.append(outer)
      open.push(inner)
    }
  }
  return root
}

/** @param {Token} token @returns {{ outer: HTMLElement, inner: HTMLElement }} */
function container(token) {
  const { tag } = token
  if (tag === 'table') {
    const table = el('table')
    const scroll = el(
      'div',
      { class: 'scroll', role: 'region', 'aria-label': 'Table', tabindex: 0 },
      table,
    )
    return { outer: scroll, inner: table }
  }
  const node = tag === 'a' ? link(token) : el(PLAIN.has(tag) ? /** @type {'p'} */ (tag) : 'span')
  if (tag === 'ol') node.setAttribute('start', String(Number(token.attrGet('start') ?? 1)))
  if (tag === 'th' || tag === 'td') {
    const [, side] = /text-align:(\w+)/.exec(token.attrGet('style') ?? '') ?? []
    if (side === 'right' || side === 'center') node.className = side
  }
  return { outer: node, inner: node }
}

/** @param {Token} token */
function link(token) {
  const href = String(token.attrGet('href') ?? '')
  if (!isSafe(href)) return el('span')
  return el('a', { href, title: href, target: '_blank', rel: 'noopener noreferrer nofollow' })
}

/** @param {string} href */
function isSafe(href) {
  return URL.canParse(href) && /^(https?|mailto):$/.test(new URL(href).protocol)
}

/** @param {Token} token @returns {Node} */
function leaf({ type, content, info }) {
  switch (type) {
    case 'fence':
    case 'code_block':
      return code(content, info)
    case 'code_inline':
      return el('code', {}, content)
    case 'hr':
      return el('hr')
    case 'hardbreak':
    // Models write lines, too, where Markdown wants two spaces at the end.
    case 'softbreak':
      return el('br')
    default:
      return new Text(content)
  }
}

/** @param {string} content @param {string} info */
function code(content, info) {
  const language = info.trim().split(/\s+/)[0] ?? ''
  const bar = el(
    'div',
    { class: 'code-bar' },
    el('span', {}, language || 'code'),
    copyButton(() => content),
  )
  const text = content.replace(/\n$/, '')
  const label = language ? `Code in ${language}` : 'Code'
  const body = el('pre', { tabindex: 0, role: 'region', 'aria-label': label }, el('code', {}, text))
  return el('div', { class: 'code' }, bar, body)
}
