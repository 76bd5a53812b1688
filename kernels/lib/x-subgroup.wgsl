// Activations of a block of 32 columns, read once per eight invocations and handed round by shuffles.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
struct Lane {
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(subgroup_invocation_id) sub: u32,
}
// Of eight the place in the subgroup says as much, and costs a CPU adapter no divisions.
fn lane_of(lane: Lane) -> u32 { return select(lane.local.x, lane.sub & 7u, LANES == 8u); }
fn x_hold(at: u32, lane: Lane) -> vec4f { return x[at + (lane.sub & 7u)]; }
fn x_take(held: vec4f, j: u32, lane: Lane) -> vec4f { return subgroupShuffle(held, (lane.sub & ~7u) + j); }
alias Held = vec4f;
fn x_first() -> f32 { return x[0].x; }
