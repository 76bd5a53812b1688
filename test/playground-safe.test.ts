/** What a model writes is a stranger's text: it is shown, and nothing of it runs, loads or leads anywhere by itself. */
import { afterEach, expect, test } from 'vitest'
import { FakeEngine } from '../server/fake-engine.ts'
import { describeChromium } from './chromium.ts'
import { answered, closePlaygrounds, lastAnswer, openPlayground, say } from './playground-page.ts'

afterEach(closePlaygrounds)

/** Each would set `hit`, were it taken for more than text. */
const CORPUS = [
  '<script>window.hit = 1</script>',
  '<img src=x onerror="window.hit = 1">',
  '<svg onload="window.hit = 1"><script>window.hit = 1</script></svg>',
  '<iframe srcdoc="<script>parent.hit = 1</script>"></iframe>',
  '<details open ontoggle="window.hit = 1">x</details>',
  '<a href="javascript:window.hit = 1">click me</a>',
  '<form action="javascript:window.hit = 1"><button>go</button></form>',
  '<style>@import "https://evil.example/x.css"; body { display: none }</style>',
  '<math><mtext><table><mglyph><style><img src=x onerror="window.hit = 1">',
  '<base href="https://evil.example/">',
  '<meta http-equiv="refresh" content="0; url=https://evil.example/">',
  '[a](javascript:window.hit=1) [b](JaVaScRiPt:window.hit=1) [c](&#106;avascript:window.hit=1)',
  '[d](<java\nscript:window.hit=1>) [e](data:text/html,<script>window.hit=1</script>)',
  '[f](vbscript:x) [g](file:///etc/passwd) [h](blob:x) <javascript:window.hit=1>',
  '[ref]: javascript:window.hit=1\n\n[ref] [x][ref]',
  '![pixel](https://evil.example/pixel.png) ![x](x"onerror="window.hit=1)',
  '[![image link](https://evil.example/i.png)](javascript:window.hit=1)',
  '```html\n<script>window.hit = 1</script>\n```',
  '```"><img src=x onerror=window.hit=1>\ncode\n```',
  '`<img src=x onerror=window.hit=1>`',
  '| <img src=x onerror=window.hit=1> |\n|:--:|\n| <script>window.hit=1</script> |',
  '<div id="prompt"></div><input name="hit"><p id="announcements">',
  `${'> '.repeat(500)}deep ${'*'.repeat(1000)} ${'['.repeat(1000)} ${'`'.repeat(999)}`,
  '&lt;img src=x onerror=window.hit=1&gt; &#60;script&#62;window.hit=1&#60;/script&#62;',
  'https://example.com/"onmouseover="window.hit=1 and https://user:pass@example.com',
  '{{constructor.constructor("window.hit=1")()}} \u202Egnp.exe \u0000',
]

/** Elements that an answer may become, and what may stand in them. */
const ALLOWED = new Set(
  'DIV P UL OL LI BLOCKQUOTE EM STRONG S TABLE THEAD TBODY TR TH TD H3 H4 H5 H6 A CODE PRE HR BR SPAN BUTTON'.split(
    ' ',
  ),
)
const ATTRIBUTES = new Set(
  'class role aria-label tabindex href title target rel start type'.split(' '),
)

const REL = 'noopener noreferrer nofollow'
const LONG = 100_000

interface Found {
  tag: string
  rel: string | null
  attributes: string[]
  href: string | null
}

const FOUND = `[...document.querySelectorAll('.message.assistant .body *')].map((node) => ({
  tag: node.tagName, rel: node.getAttribute('rel'), attributes: node.getAttributeNames(), href: node.getAttribute('href') }))`

/** Says what it was told, in pieces of a few letters. */
function echo(engine: FakeEngine): void {
  engine.chat = (messages, options) => {
    const text = messages.at(-1)?.content ?? ''
    const words = ['Before.\n\n', ...(text.match(/[\s\S]{1,7}/g) ?? []), '\n\nAfter.']
    return new FakeEngine({ words, contextLength: LONG }).chat(messages, options)
  }
}

describeChromium('an answer', (open) => {
  test('is text, and stays text', async () => {
    const { page, asked, engine } = await openPlayground(open)
    echo(engine)
    for (const evil of CORPUS) {
      await page.getByRole('button', { name: 'New', exact: true }).click()
      await say(page, evil)
      await answered(page)
      expect(await lastAnswer(page), evil).toMatch(/^Before\.[\s\S]*After\.$/)
      expect(await page.locator('.message.user .plain').textContent()).toBe(evil)
      const found = await page.evaluate<Found[]>(FOUND)
      expect(found.filter(({ tag }) => !ALLOWED.has(tag))).toEqual([])
      const names = found.flatMap(({ attributes }) => attributes)
      expect(names.filter((name) => !ATTRIBUTES.has(name))).toEqual([])
      const links = found.flatMap(({ href }) => (href === null ? [] : [href]))
      expect(links.filter((href) => !/^(https?|mailto):/.test(href))).toEqual([])
      const rels = found.filter(({ tag }) => tag === 'A').map(({ rel }) => rel)
      expect(new Set([...rels, REL])).toEqual(new Set([REL]))
    }
    // As they are kept and shown again, too.
    await page.reload()
    for (const chat of await page.locator('#conversations .open').all()) {
      await chat.click()
      await page.getByText('After.').waitFor()
    }
    expect(await page.locator('#conversations .open').count()).toBe(CORPUS.length)
    expect(await page.evaluate('window.hit')).toBe(undefined)
    expect(asked.filter((url) => url.includes('evil'))).toEqual([])
  }, 120_000)

  test('as tokens it is text, too', async () => {
    const words = ['<img src=x onerror="window.hit = 1">', '<script>window.hit = 1</script>']
    const { page } = await openPlayground(open, { engine: { words } })
    await page.getByLabel('Token probabilities').check()
    await say(page, 'x')
    await answered(page)
    const tokens = page.getByRole('listbox').getByRole('option')
    expect(await tokens.allTextContents()).toEqual(words)
    await tokens.first().focus()
    expect(await page.getByRole('tooltip').locator('th').allTextContents()).toEqual(words)
    expect(await page.evaluate('window.hit')).toBe(undefined)
  })

  test('shows the whole of Markdown', async () => {
    const words = [
      '# Title\n\nSome *em* and **strong** and `code` and ~~gone~~,\nin two lines.\n\n',
      '1. one\n2. two\n   - inner\n\n> quoted\n\n---\n\n',
      '| a | b |\n|---|--:|\n| 1 | 2 |\n\n```js\nconst x = 1\n```\n\n',
      'See https://example.com and [this](https://example.org/a "t").',
    ]
    const { page } = await openPlayground(open, { engine: { words } })
    await say(page, 'x')
    await answered(page)
    const body = page.locator('.message.assistant .body')
    const count = async (selector: string) => body.locator(selector).count()
    const wanted = ['h3', 'em', 'strong', 'p > code', 's', 'p > br', 'ol > li > ul > li']
    for (const selector of [...wanted, 'blockquote', 'hr', 'th', 'td.right', 'pre > code', 'a']) {
      expect(await count(selector), selector).toBeGreaterThan(0)
    }
    expect(await body.locator('pre').textContent()).toBe('const x = 1')
    expect(await body.locator('a').first().getAttribute('href')).toBe('https://example.com')
  })

  test('what another page left in the storage cannot break the page', async () => {
    const { page } = await openPlayground(open)
    const evil = '<img src=x onerror="window.hit = 1">'
    const kept = {
      broken: '{',
      list: '[]',
      odd: JSON.stringify({ id: 'odd', messages: [1, null, { role: 'root', content: 'x' }] }),
      evil: JSON.stringify({
        id: 'evil',
        title: evil,
        messages: [{ id: evil, role: 'assistant', content: evil, stats: null, end: evil }],
      }),
    }
    for (const [name, value] of Object.entries(kept)) {
      const line = JSON.stringify([`illuminator.conversation.${name}`, value])
      await page.evaluate(`localStorage.setItem(...${line})`)
    }
    await page.reload()
    await page.locator('#conversations').getByText(evil).click()
    expect(await lastAnswer(page)).toBe(evil)
    expect(await page.evaluate('window.hit')).toBe(undefined)
  })
})
