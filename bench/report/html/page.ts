/** The history as one HTML page: nothing is fetched, no script runs. */
import type { Run } from '../../history.ts'
import { compareRuns, titleOf } from '../compare-runs.ts'
import { brief } from '../table.ts'
import { escaped, svg } from './chart.ts'
import { byAdapter, contextCharts, rooflineChart, speedCharts } from './charts.ts'
import { STYLE } from './style.ts'

/** @param compared the runs whose figures are set side by side; null: no two have figures in common */
export function page(runs: readonly Run[], compared: readonly [Run, Run] | null): string {
  const sections = [...byAdapter(runs)].map(([adapter, own]) => {
    const roofline = rooflineChart(own)
    const charts = [...speedCharts(own), ...contextCharts(own), ...(roofline ? [roofline] : [])]
    return `<h2>${escaped(adapter)}</h2><p>${own.length} runs</p>${charts.map(svg).join('')}`
  })
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>illuminator bench</title><style>${STYLE}</style></head>
<body><h1>illuminator bench</h1>
<p>Dots are medians, whiskers the least and the most of the repeats. Machines are noisy: compare runs of a quiet one.</p>
${compared ? comparison(...compared) : ''}
${sections.join('\n')}
</body></html>
`
}

function comparison(before: Run, now: Run): string {
  const rows = compareRuns(before, now).map(
    ({ name, unit, before: a, now: b, ratio, noise, verdict }) =>
      `<tr class="${verdict}"><th scope="row">${escaped(name)}</th><td>${escaped(unit)}</td><td>${brief(a)}</td>` +
      `<td>${brief(b)}</td><td>${ratio.toFixed(3)}</td><td>${noise.toFixed(0)} %</td><td>${verdict === 'same' ? '' : verdict}</td></tr>`,
  )
  const where = `${now.adapter} (${now.driver})`
  const differs =
    before.adapter === now.adapter && before.driver === now.driver
      ? ''
      : `<p><strong>The runs are of different adapters: ${escaped(before.adapter)} before.</strong></p>`
  return `<h2>Two runs: ${escaped(titleOf(before))}, then ${escaped(titleOf(now))}</h2><p>${escaped(where)}.
Worse and better: the spreads of the repeats do not touch.</p>${differs}
<table><thead><tr><th>figure</th><th>unit</th><th>before</th><th>now</th><th>ratio</th><th>noise</th><th></th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table>`
}
