// Activations of a block of 32 columns, read by every invocation for itself.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
struct Lane {
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
}
fn lane_of(lane: Lane) -> u32 { return lane.local.x; }
fn x_hold(at: u32, lane: Lane) -> u32 { return at; }
fn x_take(held: u32, j: u32, lane: Lane) -> vec4f { return x[held + j]; }
alias Held = u32;
fn x_first() -> f32 { return x[0].x; }
