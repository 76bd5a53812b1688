/** The reference page's only style. */
export const STYLE = `
:root { color-scheme: light dark; --line: #8884 }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; display: flex }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; flex: 0 0 17rem; padding: 1rem; box-sizing: border-box; border-right: 1px solid var(--line); font-size: 13px }
nav ul { list-style: none; padding: 0 }
main { padding: 1rem 2rem; max-width: 60rem; min-width: 0 }
section { border-top: 1px solid var(--line); padding-bottom: 1rem }
i { font-style: normal; font-weight: 600; opacity: .6; font-size: .85em }
a { color: inherit }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid var(--line); padding: .2rem .8rem .2rem 0; vertical-align: top }
td b { font-size: .75em; opacity: .7 }
pre { background: #8882; padding: .6rem .8rem; overflow: auto }
code, pre { font: 13px/1.5 ui-monospace, monospace }
@media (max-width: 50rem) { body { display: block } nav { position: static; height: auto; border: 0 } }
`
