/** What the identity suite compared, a condition a line. */
import type { IdentityReport } from '../suites/identity-tally.ts'
import { table } from './table.ts'

export function identityTable({ conditions }: IdentityReport): string {
  const rows = conditions.map(({ name, answers, ids, differences, missed, first }) => {
    const counts = [answers, ids, differences, missed].map(String)
    return [name, ...counts, ...(first === null ? [] : [first])]
  })
  return table(['condition', 'answers', 'ids', 'differences', 'missed', ''], rows)
}
