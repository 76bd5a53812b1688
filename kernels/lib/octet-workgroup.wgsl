// Eight neighbouring invocations exchange values through shared memory: what was given is there after `settle`.
// FLOATS floats an octet; VECTORS vectors that all SPLIT octets share.
struct Lane { @builtin(local_invocation_id) local: vec3u, }
var<workgroup> given: array<f32, SPLIT * FLOATS * 8u>;
var<workgroup> given4: array<vec4f, VECTORS * 8u>;
fn first(index: u32, lane: Lane) -> u32 { return (lane.local.y * FLOATS + index) * 8u; }
fn give(index: u32, value: f32, lane: Lane) { given[first(index, lane) + lane.local.x] = value; }
fn take(index: u32, value: f32, giver: u32, lane: Lane) -> f32 { return given[first(index, lane) + giver]; }
fn give4(index: u32, value: vec4f, lane: Lane) {
  if (lane.local.y == 0u) { given4[index * 8u + lane.local.x] = value; }
}
fn take4(index: u32, value: vec4f, giver: u32, lane: Lane) -> vec4f { return given4[index * 8u + giver]; }
fn settle() { workgroupBarrier(); }
fn octet_max(index: u32, value: f32, lane: Lane) -> f32 {
  let at = first(index, lane);
  return max(max(max(given[at], given[at + 1u]), max(given[at + 2u], given[at + 3u])),
    max(max(given[at + 4u], given[at + 5u]), max(given[at + 6u], given[at + 7u])));
}
fn octet_add(index: u32, value: f32, lane: Lane) -> f32 {
  let at = first(index, lane);
  return ((given[at] + given[at + 1u]) + (given[at + 2u] + given[at + 3u]))
    + ((given[at + 4u] + given[at + 5u]) + (given[at + 6u] + given[at + 7u]));
}
