/** wllama: llama.cpp as WebAssembly, in a headless Chromium (`CHROMIUM`), several threads. */
import { createReadStream, existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { availableParallelism } from 'node:os'
import { basename, dirname, extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AutoTokenizer, env } from '@huggingface/transformers'
import { chromium } from 'playwright-core'
import { answer, versionOf } from './answer.mjs'

const FILES = new URL('./node_modules/@wllama/wllama/esm/', import.meta.url)
const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html' }
const USUAL = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

let server
let browser
let page
let tokenizer

answer({
  async open({ gguf, folder }) {
    env.allowRemoteModels = false
    env.localModelPath = dirname(folder)
    tokenizer = await AutoTokenizer.from_pretrained(basename(folder))
    const executablePath = process.env.CHROMIUM || USUAL.find((path) => existsSync(path))
    if (!executablePath) throw new Error('there is no Chromium (CHROMIUM)')
    server = await serve(gguf)
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
    page = await browser.newPage()
    page.setDefaultTimeout(0)
    await page.goto(`http://127.0.0.1:${server.address().port}/`)
    const threads = availableParallelism()
    const isThreaded = await page.evaluate(load, threads)
    return {
      version: versionOf('@wllama/wllama'),
      device: `Chromium ${browser.version()}, ${isThreaded ? threads : 1} threads`,
      weights: 'Q4_1 GGUF',
    }
  },

  // It takes text, and gives a piece of text for each id.
  async write(prompts, tokens) {
    if (prompts.length > 1) throw new Error('one prompt at a time')
    const prompt = tokenizer.decode(prompts[0])
    const { text, times } = await page.evaluate(complete, { prompt, tokens })
    const before = tokenizer.encode(prompt, { add_special_tokens: false }).length
    const all = tokenizer.encode(prompt + text, { add_special_tokens: false })
    return [{ ids: all.slice(before, before + times.length), times }]
  },

  async close() {
    await browser?.close()
    server?.close()
  },
})

/** The package's files and the model, to a page that may share memory between threads. */
function serve(gguf) {
  const running = createServer((request, response) => {
    const path = new URL(request.url, 'http://127.0.0.1').pathname
    const file = path === '/model.gguf' ? gguf : fileURLToPath(new URL(`.${path}`, FILES))
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
    response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream')
    if (path === '/') return response.setHeader('Content-Type', 'text/html').end('<!doctype html>')
    if (!existsSync(file)) return response.writeHead(404).end()
    createReadStream(file).pipe(response)
  })
  return new Promise((resolve) => running.listen(0, '127.0.0.1', () => resolve(running)))
}

/** Runs in the page. */
async function load(threads) {
  const { Wllama } = await import('/index.js')
  const wllama = new Wllama({ default: '/wasm/wllama.wasm' })
  globalThis.wllama = wllama
  const model = await (await fetch('/model.gguf')).blob()
  await wllama.loadModel([model], { n_ctx: 640, n_threads: threads, n_gpu_layers: 0 })
  return wllama.isMultithread()
}

/** Runs in the page. */
async function complete({ prompt, tokens }) {
  const start = performance.now()
  const times = []
  let text = ''
  const options = { max_tokens: tokens, temperature: 0, ignore_eos: true, cache_prompt: false }
  const chunks = await globalThis.wllama.createCompletion({ prompt, ...options, stream: true })
  for await (const { choices } of chunks) {
    // The last chunk says only why it ended.
    if (choices[0]?.text === '' && times.length >= tokens) continue
    text += choices[0]?.text ?? ''
    times.push(performance.now() - start)
  }
  return { text, times }
}
