/**
 * Composes a kernel's WGSL: a prelude (`enable`, `const`), the fragments it calls, and its own file, in that order;
 * keeps a line map so that a compiler message names the file it stands in; reads the bindings back out, and puts them in
 * one bind group: a dispatch then sets one, and what Dawn does for each that is set is half of what a dispatch costs.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { Fragment } from '../kernel.ts'

export interface Binding {
  /** As written: 0 activations and parameters, 1 the weight matrix, 2 the KV cache. */
  readonly group: number
  readonly binding: number
  /** Its number in the one bind group. */
  readonly index: number
  readonly name: string
  readonly type: GPUBufferBindingType
  /** WGSL type, for instance `array<vec4f>`. */
  readonly wgsl: string
}

export interface ShaderSource {
  readonly name: string
  /** The whole text: also the key of the pipeline cache. */
  readonly code: string
  /** By index. */
  readonly bindings: readonly Binding[]
  readonly features: readonly GPUFeatureName[]
  /** `file.wgsl:line` of a line of `code`. */
  locate(line: number): string
}

const texts = new Map<string, string>()

function read(url: URL): string {
  let text = texts.get(url.href)
  if (text === undefined) {
    text = readFileSync(url, 'utf8')
    texts.set(url.href, text)
  }
  return text
}

const literal = (value: number): string =>
  Number.isInteger(value) ? `u32 = ${value}u` : `f32 = ${value}`

const BINDING =
  /@group\((\d+)\)\s*@binding\((\d+)\)\s*var<(storage|uniform)(?:,\s*(read|read_write))?>\s*(\w+)\s*:\s*([^;]+);/g
const NUMBERS = /@group\(\d+\)\s*@binding\(\d+\)/

function reflect(code: string): Binding[] {
  const written = [...code.matchAll(BINDING)].map((match) => ({
    group: Number(match[1]),
    binding: Number(match[2]),
    name: match[5] as string,
    type: typeOf(match[3], match[4]),
    wgsl: (match[6] as string).replaceAll(/\s+/g, ''),
  }))
  return written
    .sort((a, b) => a.group - b.group || a.binding - b.binding)
    .map((one, index) => ({ ...one, index }))
}

const typeOf = (space: string | undefined, access: string | undefined): GPUBufferBindingType =>
  space === 'uniform' ? 'uniform' : access === 'read_write' ? 'storage' : 'read-only-storage'

/** The text with every binding at its index in group 0, line for line. */
function inOneGroup(code: string, bindings: readonly Binding[]): string {
  const indices = new Map(bindings.map(({ name, index }) => [name, index]))
  return code.replaceAll(BINDING, (declaration, ...found) =>
    declaration.replace(NUMBERS, `@group(0) @binding(${indices.get(found[4])})`),
  )
}

/** Composed before: the layers of a model ask for the same few. */
const composed = new Map<string, ShaderSource>()

/** Composes `fragments` and `file` under a prelude of `consts`. */
export function composeShader(
  name: string,
  file: URL,
  fragments: readonly Fragment[],
  consts: Readonly<Record<string, number>>,
): ShaderSource {
  const enables = [...new Set(fragments.flatMap((fragment) => fragment.enables ?? []))].sort()
  const prelude = [
    ...enables.map((feature) => `enable ${feature};`),
    ...Object.entries(consts).map(([key, value]) => `const ${key}: ${literal(value)};`),
  ]
  const parts = [...fragments.map((fragment) => fragment.wgsl), file]
  const key = [name, ...prelude, ...parts.map(({ href }) => href)].join('\n')
  const known = composed.get(key)
  if (known) return known
  const source = compose(name, prelude, parts, enables)
  composed.set(key, source)
  return source
}

function compose(
  name: string,
  prelude: readonly string[],
  parts: readonly URL[],
  enables: readonly string[],
): ShaderSource {
  const starts: { line: number; file: string }[] = []
  let code = `${prelude.join('\n')}\n`
  let line = prelude.length + 1
  for (const url of parts) {
    const text = read(url)
    starts.push({ line, file: basename(url.pathname) })
    code += `${text}\n`
    line += text.split('\n').length
  }
  const bindings = reflect(code)
  return {
    name,
    code: inOneGroup(code, bindings),
    bindings,
    features: enables.map((feature) =>
      feature === 'f16' ? 'shader-f16' : (feature as GPUFeatureName),
    ),
    locate(at) {
      const start = starts.findLast((one) => one.line <= at)
      return start ? `${start.file}:${at - start.line + 1}` : `prelude:${at}`
    },
  }
}
