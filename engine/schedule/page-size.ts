/** Tokens a KV page holds: the scheduler's own copy of the kernels' number, since it imports none of them. */
export const PAGE = 16
