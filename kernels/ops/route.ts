/** Chooses each row's experts; see route.wgsl. */
import { defineKernel, roundUp } from '../kernel.ts'

export type RouteShape = {
  batch: number
  experts: number
  chosen: number
  /** 1: the weights of the chosen ones add up to 1. */
  renormalise: number
}
export type RouteTuning = { WG: number }

const shape = (batch: number, experts: number, chosen: number, renormalise = 1): RouteShape => ({
  batch,
  experts,
  chosen,
  renormalise,
})

export const route = defineKernel<RouteShape, RouteTuning>({
  name: 'route',
  summary: 'the experts with the highest logits, and their softmax weights',
  wgsl: new URL('./route.wgsl', import.meta.url),
  consts: ({ experts, chosen, renormalise }, { WG }) => ({
    EXPERTS: experts,
    CHOSEN: chosen,
    RENORMALISE: renormalise,
    STRIDE: roundUp(experts, 32),
    WG,
  }),
  dispatch: ({ batch }) => [batch],
  tune: { WG: [32, 64] },
  inputs({ batch, experts, chosen }, random) {
    const logits = random.floats(batch * roundUp(experts, 32), 3)
    // Equals in the first row.
    logits[experts - 1] = logits[0] as number
    return { logits, routes: new Uint32Array(batch * chosen * 2) }
  },
  oracle({ batch, experts, chosen, renormalise }, { logits, routes }) {
    const weights = new Float32Array(routes!.buffer)
    for (let row = 0; row < batch; row++) {
      const own = logits!.subarray(row * roundUp(experts, 32)).subarray(0, experts)
      const order = [...own.keys()].sort((a, b) => own[b]! - own[a]! || a - b)
      const share = (e: number): number => Math.exp(own[e]! - own[order[0]!]!)
      const counted = renormalise === 1 ? order.slice(0, chosen) : order
      const total = counted.reduce((sum, e) => sum + share(e), 0)
      for (let i = 0; i < chosen; i++) {
        const at = (row * chosen + i) * 2
        routes![at] = order[i]!
        weights[at + 1] = share(order[i]!) / total
      }
    }
  },
  // Numbers of experts are words whose bits are tiny floats: a wrong one shows only in the weights and the products.
  packed: () => ({ routes: 'f32' }),
  tolerance: 1e-6,
  cases: [shape(1, 4, 2), shape(3, 8, 2, 0), shape(2, 128, 8), shape(2, 33, 33), shape(1, 1, 1)],
  bench: { 'qwen3-moe decode': shape(1, 128, 8) },
  cost: ({ batch, experts }) => ({ bytes: 4 * batch * experts, flops: batch * experts * experts }),
})
