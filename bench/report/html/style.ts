/** How the page looks, by light and by dark; colours told apart with colour-blind eyes, too (Okabe and Ito, 2008). */
import { COLOURS } from './chart.ts'

const LIGHT = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#996f00', '#56a0d3', '#8f4bc7', '#666']
const DARK = ['#56b4e9', '#ff8c42', '#2fd0a0', '#e6a0c8', '#f0e442', '#8ab8ff', '#c8a0ff', '#bbb']

const colours = (values: readonly string[]): string =>
  values.map((colour, i) => `--c${i}:${colour}`).join(';')

export const STYLE = `
:root{color-scheme:light dark;--text:#1b1b1b;--page:#fff;--grid:#ddd;${colours(LIGHT)}}
@media(prefers-color-scheme:dark){:root{--text:#e6e6e6;--page:#161616;--grid:#3a3a3a;${colours(DARK)}}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--page);max-width:820px;margin:2em auto;padding:0 1em}
figure{margin:1.5em 0}figcaption{font-weight:600}svg{width:100%;height:auto}
svg text{font-size:11px;fill:var(--text)}.grid{stroke:var(--grid)}
polyline{fill:none;stroke-width:1.5}.roof polyline{stroke:var(--text);stroke-dasharray:5 3}
.legend span{display:inline-block;margin-right:1.2em}.legend span::before{content:"● "}.legend .roof::before{content:"– "}
${Array.from({ length: COLOURS }, (_, i) => `.c${i} polyline,.c${i} line{stroke:var(--c${i})}.c${i} circle{fill:var(--c${i})}.legend .c${i}::before{color:var(--c${i})}`).join('\n')}
table{border-collapse:collapse;width:100%}th,td{padding:.15em .5em;text-align:right;border-bottom:1px solid var(--grid)}
th:first-child{text-align:left;font-weight:400}thead th{font-weight:600}
.worse td:last-child{color:var(--c1);font-weight:600}.better td:last-child{color:var(--c2);font-weight:600}
`
