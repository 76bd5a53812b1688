// Activations of a block of 32 columns in eight bits, read once per eight invocations and handed round by shuffles: eight
// words of four columns, each with a word beside it; beside the first lies the scale, beside the second scale * sum.
@group(0) @binding(0) var<storage, read> x: array<vec2u>;
struct Lane {
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(subgroup_invocation_id) sub: u32,
}
struct Held { columns: vec4i, beside: u32, }
// Of eight the place in the subgroup says as much, and costs a CPU adapter no divisions.
fn lane_of(lane: Lane) -> u32 { return select(lane.local.x, lane.sub & 7u, LANES == 8u); }
fn x_hold(at: u32, lane: Lane) -> Held {
  let own = x[at + (lane.sub & 7u)];
  return Held((vec4i(bitcast<i32>(own.x)) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u), own.y);
}
fn x_take(held: Held, j: u32, lane: Lane) -> vec4i { return subgroupShuffle(held.columns, (lane.sub & ~7u) + j); }
fn x_scales(held: Held, lane: Lane) -> vec2f {
  let octet = lane.sub & ~7u;
  return bitcast<vec2f>(vec2u(subgroupShuffle(held.beside, octet), subgroupShuffle(held.beside, octet + 1u)));
}
// The same number, but no constant to a compiler, which unrolls short loops whole and takes seconds for it; uniform, since
// shuffles need that.
fn opaque(bound: u32) -> u32 { return bound + (x[0].y >> 31u); } // a scale is not negative
