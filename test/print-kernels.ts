/**
 * Prints `docs/kernels.md` out of the registries: what a kernel declares is all there is to say about it, so the page
 * needs no author. `kernels/docs.test.ts` holds the file against this.
 */

import { BASELINE, CAPABILITY_SETS } from '../kernels/gpu/capabilities.ts'
import { specialise } from '../kernels/gpu/specialise.ts'
import { BLOCK_ROWS, type Format, formats, kernels } from '../kernels/index.ts'
import { type Kernel, type Shape, tunings } from '../kernels/kernel.ts'

const HEAD = `# Kernels

Printed from the registry (\`kernels/index.ts\`); do not edit. \`UPDATE_DOCS=1 npm test -- kernels/docs\` writes it anew.

Each kernel is a pair of files in \`kernels/ops/\`: plain WGSL, and one declaration that the engine, the tests and the bench
read. **Tuning** lists every value that may be compiled in, the default first where the device can run it; **variants**
counts the different programs of all cases and bench shapes, by what the device has. Each of them is compiled in a test
without any driver, and every case is held against its oracle, in float64 on the CPU, on an adapter.

Bindings are written in three groups: 0 holds activations and parameters, 1 the weight matrix in its format, 2 the KV
cache. Composed, they stand in that order in one bind group: setting one costs the host about as much as the dispatch does.
`

/** The whole page. */
export function kernelsPage(): string {
  const declared = Object.values(kernels) as unknown as Kernel[]
  return `${[HEAD, ...declared.map(section), formatTable()].join('\n')}\n`
}

function section(kernel: Kernel): string {
  const file = kernel.wgsl.pathname.split('/').at(-1)
  const tuning = Object.entries(kernel.tune).map(([name, values]) => `${name} ${values.join(', ')}`)
  const shapes = Object.keys(kernel.bench)
  return [
    `## ${kernel.name}`,
    '',
    `\`${kernel.summary}\``,
    '',
    `- WGSL: [${file}](../kernels/ops/${file})${kernel.weight ? ', over any weight format' : ''}`,
    `- Tuning: ${tuning.join(' · ') || 'none'}`,
    `- Variants: ${variants(kernel)}`,
    `- Cases: ${kernel.cases.length}, tolerance ${kernel.tolerance} relative to 1 + |expected|`,
    `- Bench shapes: ${shapes.length} (${shapes.join('; ')})`,
    '',
    '| Binding | Name | Access | Type |',
    '|---|---|---|---|',
    ...bindings(kernel),
    '',
  ].join('\n')
}

const shapesOf = (kernel: Kernel): readonly Shape[] => [
  ...kernel.cases,
  ...Object.values(kernel.bench),
]

function variants(kernel: Kernel): string {
  const counts = Object.entries(CAPABILITY_SETS).map(([name, caps]) => {
    const programs = shapesOf(kernel).flatMap((shape) =>
      tunings(kernel, shape, caps).map((tuning) => specialise(kernel, shape, tuning, caps).code),
    )
    return `${new Set(programs).size} with ${name}`
  })
  return counts.join(', ')
}

/** Of all variants: a binding's type may depend on the format or the KV type. */
function bindings(kernel: Kernel): string[] {
  const rows = new Map<string, { access: string; types: Set<string> }>()
  for (const shape of shapesOf(kernel)) {
    const [tuning] = tunings(kernel, shape, BASELINE)
    if (!tuning) continue
    for (const one of specialise(kernel, shape, tuning, BASELINE).bindings) {
      const key = `| ${one.group}.${one.binding} | ${one.name} |`
      const access = one.type === 'storage' ? 'read, write' : 'read'
      const row = rows.get(key) ?? { access, types: new Set<string>() }
      row.types.add(`\`${one.wgsl}\``)
      rows.set(key, row)
    }
  }
  return [...rows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, { access, types }]) => `${key} ${access} | ${[...types].sort().join(' or ')} |`)
}

/** Any number of columns will do: the layouts are linear in it. */
const COLUMNS = 256

function bitsPerWeight(format: Format): number {
  const { words, scales } = format.wordsPerRowBlock(COLUMNS)
  return ((words + scales) * 32) / (BLOCK_ROWS * COLUMNS)
}

function formatTable(): string {
  return [
    '## Weight formats',
    '',
    'One layout for all: [decision 3](decisions/0003-row-blocks-and-one-order.md). An affine format is named by bits,',
    'group size and the number type of its scales.',
    '',
    '| Format | Bits a weight on the GPU |',
    '|---|---|',
    ...[...formats.values()].map((format) => `| ${format.id} | ${bitsPerWeight(format)} |`),
  ].join('\n')
}
