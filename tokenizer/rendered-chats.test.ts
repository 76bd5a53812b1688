/**
 * Templates with the constructs of the popular families' against transformers: `test/python/chat_template_goldens.py` prints
 * `test/goldens/chat-templates.json`. `TEMPLATES=folder GOLDENS=file.json` holds other templates, by hand.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ChatTemplate, type RenderOptions, type TemplateMessage } from './chat-template.ts'
import { byteLevelJson } from './testing.ts'
import { Tokenizer } from './tokenizer.ts'

interface Golden {
  special: Record<string, string>
  conversations: Record<string, TemplateMessage[]>
  options: Record<string, { add_generation_prompt: boolean; tools?: unknown[] }>
  rendered: Record<string, { text: string } | { error: string }>
}

const goldens = join(import.meta.dirname, '../test/goldens')
const folder = process.env.TEMPLATES ?? join(goldens, 'chat-templates')
const golden: Golden = JSON.parse(
  readFileSync(process.env.GOLDENS ?? join(goldens, 'chat-templates.json'), 'utf8'),
)
const NOW = new Date(2026, 0, 5, 14, 7, 9)
/** Words of the reference for what Python refuses and this Jinja lets pass, or the other way round: no text to hold. */
const PYTHONS_OWN =
  /has no element|can only concatenate|has no attribute|is undefined|not JSON serializable|NoneType|from a mapping|maximum recursion/

function optionsOf(name: string): RenderOptions {
  const { add_generation_prompt, tools, ...variables } = golden.options[name] ?? {}
  return {
    addGenerationPrompt: add_generation_prompt ?? true,
    ...(tools ? { tools } : {}),
    variables,
    now: NOW,
  }
}

describe.each(readdirSync(folder).filter((name) => name.endsWith('.jinja')))('%s', (file) => {
  const config = { ...golden.special, chat_template: readFileSync(join(folder, file), 'utf8') }
  const tokenizer = new Tokenizer(byteLevelJson(), config)

  it.each(Object.keys(golden.conversations))('renders as transformers does: %s', async (name) => {
    const template = await ChatTemplate.load('/nowhere', tokenizer)
    const messages = golden.conversations[name] ?? []
    for (const option of Object.keys(golden.options)) {
      const expected = golden.rendered[`${file} | ${name} | ${option}`]
      if (expected === undefined)
        throw new Error(`There is no golden for ${file}, ${name}, ${option}.`)
      const render = () => template.render(messages, optionsOf(option))
      if ('text' in expected) expect(render(), option).toBe(expected.text)
      else if (!PYTHONS_OWN.test(expected.error)) expect(render, option).toThrow(expected.error)
    }
  })
})
