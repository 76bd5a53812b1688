// Activations of a block of 32 columns in eight bits, read by every invocation for itself: eight words of four columns, each
// with a word beside it; beside the first lies the scale, beside the second scale * sum.
@group(0) @binding(0) var<storage, read> x: array<vec2u>;
struct Lane {
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
}
alias Held = u32;
fn lane_of(lane: Lane) -> u32 { return lane.local.x; }
fn x_hold(at: u32, lane: Lane) -> Held { return at; }
fn x_take(held: Held, j: u32, lane: Lane) -> vec4i {
  return (vec4i(bitcast<i32>(x[held + j].x)) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u);
}
fn x_scales(held: Held, lane: Lane) -> vec2f { return bitcast<vec2f>(vec2u(x[held].y, x[held + 1u].y)); }
// The same number, but no constant to a compiler, which unrolls short loops whole and takes seconds for it; uniform, since
// shuffles need that.
fn opaque(bound: u32) -> u32 { return bound + (x[0].y >> 31u); } // a scale is not negative
