// Counts generated tokens for the penalties; equal entries add up.
//   entries [entries] (slot, token); a token with its top bit set lies in `latest`
//   counts [slots, VOCABULARY]: times generated, bit 31 when in the prompt
@group(0) @binding(0) var<storage, read> entries: array<vec2u>;
@group(0) @binding(1) var<storage, read> latest: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u) {
  let entry = entries[group.x];
  var token = entry.y;
  if (token >= 0x80000000u) { token = latest[token & 0x7fffffffu]; }
  atomicAdd(&counts[entry.x * VOCABULARY + token], 1u);
}
