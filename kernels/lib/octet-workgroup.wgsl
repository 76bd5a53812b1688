// Eight neighbouring invocations exchange values through shared memory: what was given is there after `settle`.
// SLOTS floats an octet; SLOTS4 vectors that all SPLIT octets share.
struct Lane { @builtin(local_invocation_id) local: vec3u, }
var<workgroup> given: array<f32, SPLIT * SLOTS * 8u>;
var<workgroup> given4: array<vec4f, SLOTS4 * 8u>;
fn place(slot: u32, lane: Lane) -> u32 { return (lane.local.y * SLOTS + slot) * 8u; }
fn give(slot: u32, value: f32, lane: Lane) { given[place(slot, lane) + lane.local.x] = value; }
fn take(slot: u32, value: f32, giver: u32, lane: Lane) -> f32 { return given[place(slot, lane) + giver]; }
fn give4(slot: u32, value: vec4f, lane: Lane) {
  if (lane.local.y == 0u) { given4[slot * 8u + lane.local.x] = value; }
}
fn take4(slot: u32, value: vec4f, giver: u32, lane: Lane) -> vec4f { return given4[slot * 8u + giver]; }
fn settle() { workgroupBarrier(); }
fn octet_max(slot: u32, value: f32, lane: Lane) -> f32 {
  let at = place(slot, lane);
  return max(max(max(given[at], given[at + 1u]), max(given[at + 2u], given[at + 3u])),
    max(max(given[at + 4u], given[at + 5u]), max(given[at + 6u], given[at + 7u])));
}
fn octet_add(slot: u32, value: f32, lane: Lane) -> f32 {
  let at = place(slot, lane);
  return ((given[at] + given[at + 1u]) + (given[at + 2u] + given[at + 3u]))
    + ((given[at + 4u] + given[at + 5u]) + (given[at + 6u] + given[at + 7u]));
}
