/** The reference page: the OpenAPI document as plain HTML, without a script, a font or anything from elsewhere. */
import { createHash } from 'node:crypto'
import { html, raw } from 'hono/html'
import { type OpenApiDocument, type Operation, resolved, type Schema } from './document.ts'
import { curlOf } from './example.ts'
import { type Field, fieldsOf } from './fields.ts'
import { STYLE } from './style.ts'

type Html = ReturnType<typeof html>

/** Lets the browser load nothing but this very style. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** @param base URL of the server, for the examples */
export function referencePage(document: OpenApiDocument, base: string): Html {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  const { title, version } = document.info
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title} ${version}</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<nav>
<b>${title} ${version}</b>
<ul>${operations.map(
    ({ path, method }) =>
      html`<li><a href="#${anchorOf(method, path)}"><i>${method.toUpperCase()}</i> ${path}</a></li>`,
  )}</ul>
</nav>
<main>
<h1>${title} ${version}</h1>
<p>Printed from <a href="/openapi.json">/openapi.json</a>, by which requests are checked. Where keys are needed, add
<code>-H "Authorization: Bearer $API_KEY"</code> to the examples.</p>
${operations.map(({ path, method, operation }) => section(document, base, path, method, operation))}
<h2>Schemas</h2>
${Object.entries(document.components.schemas ?? {}).map(
  ([name, schema]) =>
    html`<section id="${name}"><h3>${name}</h3>${described(schema.description)}${table(fieldsOf(schema))}</section>`,
)}
</main>
</body>
</html>`
}

const anchorOf = (method: string, path: string): string =>
  `${method}${path.replace(/[^A-Za-z0-9]+/g, '-')}`

function section(
  document: OpenApiDocument,
  base: string,
  path: string,
  method: string,
  operation: Operation,
): Html {
  return html`<section id="${anchorOf(method, path)}">
<h2><i>${method.toUpperCase()}</i> ${path}</h2>
${described(operation.summary)}${described(operation.description)}
${table(parametersOf(operation))}
${Object.entries(operation.requestBody?.content ?? {}).map(
  ([type, { schema = {} }]) =>
    html`<h3>Request, <code>${type}</code></h3>${table(fieldsOf(resolved(document, schema)))}`,
)}
<h3>Example</h3>
<pre>${curlOf(document, base, path, method, operation)}</pre>
<h3>Answers</h3>
<ul>${Object.entries(operation.responses).flatMap(([status, { description, content = {} }]) => {
    const shapes = Object.entries(content).map(
      ([type, { schema = {} }]) => html`, <code>${type}</code> ${shape(schema)}`,
    )
    return html`<li><b>${status === 'default' ? 'else' : status}</b> ${description}${shapes}</li>`
  })}</ul>
</section>`
}

const described = (text: string | undefined): Html | '' => (text ? html`<p>${text}</p>` : '')

function parametersOf({ parameters = [] }: Operation): Field[] {
  return parameters.flatMap(({ name, required = false, description, schema = {}, in: where }) => {
    const one = { ...schema, description: description ?? schema.description ?? `In the ${where}.` }
    return fieldsOf({ properties: { [name]: one }, required: required ? [name] : [] })
  })
}

function shape(schema: Schema): Html | '' {
  const [field] = fieldsOf({ properties: { it: schema } })
  return field ? typed(field) : ''
}

/** The type with its schemas as links. */
function typed({ type, links }: Field): Html {
  const parts = type.split(/([A-Za-z0-9_]+)/)
  return html`${parts.map((part) => (links.includes(part) ? html`<a href="#${part}">${part}</a>` : part))}`
}

function table(fields: readonly Field[]): Html | '' {
  if (fields.length === 0) return ''
  return html`<table>
${fields.map(
  (
    field,
  ) => html`<tr><td><code>${field.name}</code>${field.isRequired ? html` <b>required</b>` : ''}</td>
<td>${typed(field)}</td><td>${field.text}</td></tr>
`,
)}</table>`
}
