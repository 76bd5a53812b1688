/**
 * The rules of the house (docs: CONTRIBUTING.md) as a test: which folder may import which, through which file, and how
 * long files and functions may be. The tables below are the rules; a message says the rule that was broken.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize, relative } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const ROOT = import.meta.dirname
const FOLDERS = [
  'bench',
  'cli',
  'engine',
  'kernels',
  'server',
  'tokenizer',
  'web',
  'test',
  'scripts',
]
const CAPS = { ts: 250, wgsl: 140, function: 60 }
const BANNED = /(^|[.-])(utils?|helpers?|common|manager|base|misc)([.-]|$)/
const FILE_NAME =
  /^[a-z0-9]+(-[a-z0-9]+)*(\.gpu|\.fuzz|\.property|\.config)*(\.test)?\.(ts|d\.ts|wgsl|mjs|js|css|html)$/

/** Folder → the folders of ours that it may import besides itself. Tests beside code may also import `test/`. */
const ARROWS: Record<string, readonly string[]> = {
  kernels: [],
  tokenizer: [],
  engine: ['kernels', 'tokenizer'],
  server: ['engine'],
  cli: ['server', 'engine', 'kernels'],
  bench: ['kernels', 'tokenizer', 'engine', 'server', 'cli'],
  test: ['kernels', 'tokenizer', 'engine', 'server', 'cli', 'bench', 'scripts'],
}

/** Folder → the files by which other folders come in. `tokenizer` is small: its files are its gate. `bench` may go deeper. */
const GATES: Record<string, RegExp> = {
  kernels: /^kernels\/(index|errors|sample-settings)\.ts$/,
  tokenizer: /^tokenizer\/[^/]+\.ts$/,
  engine: /^engine\/(index|api|errors|hub\/index)\.ts$/,
  server: /^server\/(index|start)\.ts$/,
  cli: /^$/,
}

interface Narrow {
  rule: string
  /** Files of which it speaks, and those of them that may all the same. */
  of: RegExp
  but: RegExp
  /** Imports that it forbids: a path of ours, or a package as written. */
  forbids: RegExp
}

const NARROW: readonly Narrow[] = [
  {
    rule: 'what is packed imports no fixture (tests’ own code is fake-….ts or …-fixture.ts)',
    of: /./,
    forbids: /(^|\/)(testing|fake-[^/]*|[^/]*fixture)\.ts$/,
    but: /^test\/|\.test\.ts$|(^|\/)(testing|fake-[^/]*|[^/]*fixture)\.ts$/,
  },
  {
    rule: 'engine/schedule is pure: it imports neither kernels nor anything of Node',
    of: /^engine\/schedule\//,
    forbids: /^(kernels\/|node:|engine\/(runner|weights|hub|worker)\b|webgpu$)/,
    but: /^$/,
  },
  {
    rule: 'only engine/runner, engine/weights and bench touch kernels/gpu',
    of: /^(engine|server|cli|bench)\//,
    forbids: /^(kernels\/gpu\/|webgpu$)/,
    but: /^(engine\/(runner[./]|weights\/)|bench\/)/,
  },
  {
    rule: 'only engine/engine.ts, text-parts.ts and index.ts touch tokenizer: the core speaks ids',
    of: /^engine\//,
    forbids: /^tokenizer\//,
    but: /^engine\/(engine|text-parts(\.test)?|index)\.ts$/,
  },
]

/** `import … from 'x'`, `export … from 'x'`, `import 'x'`, `import('x')`. */
const IMPORT =
  /(?:^|\n)\s*(?:(?:import|export)\b[^'"`;=(]*?\bfrom\s*|import\s*)['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]/g

interface Source {
  path: string
  text: string
  isTest: boolean
}
interface Import {
  from: Source
  /** A path of ours from the root, or a package as written. */
  to: string
  isOurs: boolean
}

const sources = [
  ...walk(ROOT, false),
  ...FOLDERS.flatMap((folder) => walk(join(ROOT, folder), true)),
]
// What browsers run is JavaScript: there is no build between it and them.
const scripts = sources.filter(({ path }) => /\.(ts|js)$/.test(path))
const shaders = sources.filter(({ path }) => path.endsWith('.wgsl'))
const imports = scripts.flatMap(importsOf)
const production = imports.filter(({ from }) => !from.isTest)

it('every form of import is read', () => {
  const text = `import a from './a.ts'\nimport type {\n B,\n} from "./b.ts"\nexport * from './c.ts'\nimport './d.ts'
const e = await import('./e.ts')\nexport function f(x = './no.ts') { return './no.ts' }`
  const found = importsOf({ path: 'engine/x.ts', text, isTest: false }).map(({ to }) => to)
  expect(found).toEqual(['a', 'b', 'c', 'd', 'e'].map((name) => `engine/${name}.ts`))
})

describe('arrows', () => {
  it('point one way: cli → server → engine → kernels, tokenizer', () => {
    const broken = imports.filter(({ from, to, isOurs }) => {
      const [here, there] = [top(from.path), top(to)]
      if (!isOurs || here === there || !(here in ARROWS)) return false
      return !(from.isTest && there === 'test') && !ARROWS[here]?.includes(there)
    })
    expect(
      tell(
        broken,
        ({ from }) =>
          `${top(from.path)} may import only ${ARROWS[top(from.path)]?.join(', ') || 'itself'}`,
      ),
    ).toEqual([])
  })

  it('lead through gates: a folder is imported by its index.ts', () => {
    const broken = imports.filter(({ from, to, isOurs }) => {
      const [here, there] = [top(from.path), top(to)]
      if (!isOurs || here === there || here === 'test' || here === 'bench') return false
      const gate = GATES[there]
      if (gate === undefined || gate.test(to)) return false
      return !isNarrowlyAllowed(from.path, to)
    })
    expect(
      tell(broken, ({ to }) => `outsiders enter ${top(to)} only by ${GATES[top(to)]?.source}`),
    ).toEqual([])
  })

  for (const { rule, of, forbids, but } of NARROW) {
    it(rule, () => {
      const broken = production.filter(
        ({ from, to }) => of.test(from.path) && forbids.test(to) && !but.test(from.path),
      )
      expect(tell(broken, () => rule)).toEqual([])
    })
  }

  it('every .wgsl is named by exactly one .ts', () => {
    const named = scripts
      .filter((file) => !file.isTest)
      .flatMap((file) =>
        [...file.text.matchAll(/['"`]([^'"`\n]+\.wgsl)['"`]/g)].map(([, name = '']) => ({
          shader: normalize(join(dirname(file.path), name)),
          owner: file.path,
        })),
      )
    const broken = shaders.flatMap(({ path }) => {
      const naming = named.filter(({ shader }) => shader === path)
      const owners = [...new Set(naming.map(({ owner }) => owner))]
      const found = owners.join(', ') || 'none'
      return owners.length === 1 ? [] : [`${path}: exactly one .ts names a .wgsl, found: ${found}`]
    })
    expect(broken).toEqual([])
  })
})

describe('caps', () => {
  it(`files stay within ${CAPS.ts} lines, shaders within ${CAPS.wgsl}`, () => {
    const broken = sources.flatMap(({ path, text }) => {
      const lines = text.trimEnd().split('\n').length
      const cap = path.endsWith('.wgsl') ? CAPS.wgsl : CAPS.ts
      return lines > cap ? [`${path} has ${lines} lines, at most ${cap}: split it by duty`] : []
    })
    expect(broken).toEqual([])
  })

  it(`functions stay within ${CAPS.function} lines`, () => {
    const broken = scripts.filter((file) => !file.isTest).flatMap(longFunctions)
    expect(broken).toEqual([])
  })

  it('file names are kebab-case and say a duty', () => {
    const broken = sources.flatMap(({ path }) => {
      const name = basename(path)
      if (BANNED.test(name))
        return [`${path}: utils, helpers, common, manager, base, misc say nothing; name the duty`]
      return FILE_NAME.test(name) ? [] : [`${path}: file names are kebab-case`]
    })
    expect(broken).toEqual([])
  })
})

/** `kernels/gpu` has no index: whom a narrow rule lets in, enters there. */
function isNarrowlyAllowed(from: string, to: string): boolean {
  return NARROW.some(({ forbids, but }) => forbids.test(to) && but.test(from))
}

function tell(broken: readonly Import[], rule: (broken: Import) => string): string[] {
  return broken.map((one) => `${one.from.path} imports ${one.to}: ${rule(one)}`)
}

function top(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : ''
}

function importsOf(from: Source): Import[] {
  const found = from.text.matchAll(IMPORT)
  return [...found].map(([, fixed, lazy]) => {
    const written = fixed ?? lazy ?? ''
    const isOurs = written.startsWith('.')
    return { from, isOurs, to: isOurs ? normalize(join(dirname(from.path), written)) : written }
  })
}

function longFunctions({ path, text }: Source): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const broken: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const line = (at: number) => file.getLineAndCharacterOfPosition(at).line + 1
      const first = line(node.getStart())
      const lines = line(node.end) - first + 1
      if (lines > CAPS.function)
        broken.push(
          `${path}:${first} has a function of ${lines} lines, at most ${CAPS.function}: give its parts names`,
        )
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return broken
}

function walk(folder: string, deep: boolean): Source[] {
  const skip = new Set(['node_modules', 'fixtures', 'peers', '__pycache__'])
  const entries = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []
  return entries.flatMap((entry): Source[] => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return deep && !skip.has(entry.name) ? walk(path, true) : []
    if (!/\.(ts|wgsl|mjs|js|css|html)$/.test(entry.name)) return []
    const isTest = /\.test\.ts$/.test(entry.name) || path.startsWith(join(ROOT, 'test'))
    return [{ path: relative(ROOT, path), text: readFileSync(path, 'utf8'), isTest }]
  })
}
