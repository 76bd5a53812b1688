/** What a device can do, as far as a kernel may care. */
export interface Capabilities {
  readonly f16: boolean
  readonly subgroups: boolean
  /** Narrowest subgroup the adapter may run; 0 without subgroups. */
  readonly subgroupMin: number
  readonly maxInvocations: number
  readonly maxWorkgroupBytes: number
  readonly maxBinding: number
  readonly maxWorkgroups: number
  /** Runs on the CPU: few, wide lanes and dear dispatches. */
  readonly software: boolean
}

/** The smallest set that WebGPU promises: what a kernel must always run with. */
export const BASELINE: Capabilities = {
  f16: false,
  subgroups: false,
  subgroupMin: 0,
  maxInvocations: 256,
  maxWorkgroupBytes: 16384,
  maxBinding: 128 * 2 ** 20,
  maxWorkgroups: 65535,
  software: false,
}

/** The capability sets that the compile sweep covers, whatever this machine has. */
export const CAPABILITY_SETS: Readonly<Record<string, Capabilities>> = {
  baseline: BASELINE,
  'subgroups of 4': { ...BASELINE, subgroups: true, subgroupMin: 4, software: true },
  'subgroups of 8 and f16': {
    ...BASELINE,
    subgroups: true,
    subgroupMin: 8,
    f16: true,
    software: true,
  },
  'subgroups of 32 and f16': { ...BASELINE, subgroups: true, subgroupMin: 32, f16: true },
}
