/** Holds every answer of the tests' applications against the OpenAPI document: its status must be declared there. */
import { openApiDocument } from '../server/contract/openapi.ts'

interface Document {
  paths: Record<string, Record<string, { responses: Record<string, unknown> }>>
}

/** A client that left reads no answer. */
const TO_NOBODY = 499

const { paths } = openApiDocument('0.0.0') as Document

/** Plain paths before those with ids, as the router has them. */
const PATTERNS = Object.keys(paths)
  .sort((a, b) => Number(a.includes('{')) - Number(b.includes('{')) || b.length - a.length)
  .map((path) => ({
    path,
    // Ids of models may hold slashes.
    pattern: new RegExp(
      `^${path.replace(/\{\w+\}/g, path.includes('/models/') ? '.+' : '[^/]+')}$`,
    ),
  }))

/**
 * Paths and methods that are not in the document are nobody's business here.
 * @throws Error that names the operation and the status that it does not declare
 */
export function checkDeclared(method: string, path: string, status: number): void {
  const known = PATTERNS.find(({ pattern }) => pattern.test(path))
  const responses = paths[known?.path ?? '']?.[method.toLowerCase()]?.responses
  if (!responses || status === TO_NOBODY || String(status) in responses) return
  throw new Error(
    `${method} ${known?.path} answers ${status}, which its document does not declare.`,
  )
}
