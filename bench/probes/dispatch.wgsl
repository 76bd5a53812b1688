// Counts its dispatches, and does nothing else. Prelude: WG (invocations a workgroup).
@group(0) @binding(0) var<storage, read_write> turns: array<u32>;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u) { turns[id.x]++; }
