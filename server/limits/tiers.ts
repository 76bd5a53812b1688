/** What a tier allows. A key may have figures of its own; enterprise has no others. */
import type { CallerLimits } from '../auth/caller.ts'

const TIERS = {
  free: { requestsPerMinute: 60, tokensPerHour: 50_000 },
  basic: { requestsPerMinute: 300, tokensPerHour: 250_000 },
  pro: { requestsPerMinute: 1500, tokensPerHour: 1_000_000 },
  enterprise: { requestsPerMinute: null, tokensPerHour: null },
} satisfies Record<string, CallerLimits>

export type Tier = keyof typeof TIERS
export const TIER_NAMES = Object.keys(TIERS) as readonly Tier[]

export const isTier = (text: string): text is Tier => Object.hasOwn(TIERS, text)

/** A tier's limits, with what a key says instead. */
export function limitsOf(tier: Tier, own: CallerLimits): CallerLimits {
  return {
    requestsPerMinute: own.requestsPerMinute ?? TIERS[tier].requestsPerMinute,
    tokensPerHour: own.tokensPerHour ?? TIERS[tier].tokensPerHour,
  }
}
