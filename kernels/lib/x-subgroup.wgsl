// Activations of a block of 32 columns, read once per eight invocations and handed round by shuffles.
struct Lane {
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(subgroup_invocation_id) sub: u32,
}
fn x_hold(at: u32, lane: Lane) -> vec4f { return x[at + (lane.sub & 7u)]; }
fn x_take(held: vec4f, j: u32, lane: Lane) -> vec4f { return subgroupShuffle(held, (lane.sub & ~7u) + j); }
alias Held = vec4f;
