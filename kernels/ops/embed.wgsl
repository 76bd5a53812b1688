// y[r] = W[token of r]: one workgroup a row. Rows whose token lies in another part of a split table are left alone.
//   rows (token, position, sequence, slot + 1; 0 when dead); y [rows, KB * 32] f32
@group(0) @binding(0) var<storage, read> rows: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = rows[group.x].x;
  let pair = token / 2u;
  if (pair < PAIR_START || pair >= PAIR_END || rows[group.x].w == 0u) { return; }
  let local = pair - PAIR_START;
  for (var i = lane; i < KB * 8u; i += WG) {
    let block = load_block(local / 32u, i / 8u, token % 2u, local % 32u);
    y[group.x * KB * 8u + i] = value4(block, i % 8u);
  }
}
