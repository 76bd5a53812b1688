/** Activations in float64, for oracles. */
import type { ActivationName } from './fragments.ts'

/** erf by its Maclaurin series (|v| < 3) or 1: the oracle's own way, unlike the kernel's. */
function erf(v: number): number {
  if (Math.abs(v) > 3.5) return Math.sign(v)
  let term = v
  let sum = v
  for (let n = 1; n < 60; n++) {
    term *= -(v * v) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}

/** Each activation, exactly. */
export const EXACT: Record<ActivationName, (v: number) => number> = {
  silu: (v) => v / (1 + Math.exp(-v)),
  gelu: (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
  'gelu-tanh': (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  relu: (v) => Math.max(v, 0),
}
