/** What became of each peer, in lines: what ran, whether its ids were ours, what did not work. */
import { agreementLine, type Judged } from '../side-by-side/agreement.ts'

export function outcomeLines(outcome: Judged): string[] {
  const { name, opened, ids, parting, margin, sameWeights, errors } = outcome
  const ran = opened
    ? [`${name} ${opened.version}: ${opened.device}, ${opened.weights}`]
    : [`${name}: DID NOT RUN`]
  const agreed = ids ? [agreementLine(ids.ours.length, parting, margin)] : []
  const whose = sameWeights ? 'the same weights' : 'other weights of as many bits'
  return [
    ...ran,
    ...agreed.map((line) => `  ${whose}: ${line}`),
    ...errors.map((error) => `  NO FIGURE: ${error.replace(/\s*\n\s*/g, ' ')}`),
  ]
}
