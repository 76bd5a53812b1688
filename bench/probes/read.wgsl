// Streams DATA once with wide, coalesced loads: each workgroup reads a contiguous span, neighbouring invocations read
// neighbouring vec4s. Sums what it read, so that no load can be left out.
// Prelude: WG (invocations a workgroup), PER (vec4s an invocation reads, a multiple of 8).

@group(0) @binding(0) var<storage, read> data: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> sums: array<vec4u>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var at = group.x * WG * PER + lane;
  let end = at + WG * PER;
  var a = vec4u();
  var b = vec4u();
  var c = vec4u();
  var d = vec4u();
  while (at < end) {
    a += data[at];
    b += data[at + WG];
    c += data[at + 2u * WG];
    d += data[at + 3u * WG];
    a += data[at + 4u * WG];
    b += data[at + 5u * WG];
    c += data[at + 6u * WG];
    d += data[at + 7u * WG];
    at += 8u * WG;
  }
  sums[group.x * WG + lane] = a + b + c + d;
}
