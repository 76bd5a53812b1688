/** What makes a figure worthless: a wrong output, or a speed that the adapter cannot have. */

export class BenchError extends Error {
  override readonly name = 'BenchError'
}

/** Throws BenchError when `value` is above what the probe reached on this adapter, noise allowed. */
export function checkBelowProbe(
  what: string,
  value: number,
  probe: number,
  unit: string,
  noise = 0.05,
): void {
  if (value <= probe * (1 + noise)) return
  throw new BenchError(
    `${what} would run at ${value.toFixed(2)} ${unit}, above the ${probe.toFixed(2)} ${unit} that the probe reaches here. ` +
      'Its cost() counts too much, it does less than it says, or it read from a cache: no figure.',
  )
}
