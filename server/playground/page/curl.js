/** A request as a line for a shell. */

/**
 * @param {string} origin
 * @param {object} body
 * @param {boolean} needsKey the key itself is never part of it
 */
export function curlOf(origin, body, needsKey) {
  const json = JSON.stringify({ ...body, stream: true }, null, 2)
  const parts = [
    `curl -N ${origin}/v1/chat/completions`,
    `-H 'content-type: application/json'`,
    ...(needsKey ? ['-H "Authorization: Bearer $API_KEY"'] : []),
    `-d '${json.replaceAll("'", "'\\''")}'`,
  ]
  return parts.join(' \\\n  ')
}
