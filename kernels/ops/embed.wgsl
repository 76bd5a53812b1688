// y[r] = W[token of r] * SCALE, and what `placed` adds for its position: one workgroup a row. Rows whose token lies in another part of a split table are left alone.
//   rows (token, position, slot, place + 1; 0 when dead); a token with its top bit set stands in `latest`
//   latest: ids chosen by earlier dispatches; y [rows, KB * 32] f32
@group(0) @binding(0) var<storage, read> rows: array<vec4u>;
@group(0) @binding(1) var<storage, read> latest: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let code = rows[group.x].x;
  var token = code;
  if ((code >> 31u) == 1u) { token = latest[code & 0x7fffffffu]; }
  let pair = token / 2u;
  if (pair < PAIR_START || pair >= PAIR_END || rows[group.x].w == 0u) { return; }
  let row = token - PAIR_START * 2u;
  let row_block = row / 32u;
  let quad = row % 32u / 4u;
  let side = row % 4u;
  for (var i = lane; i < KB * 8u; i += WG) {
    let b = i / 8u;
    let run = load_run(row_block, b, i % 8u / 2u, quad);
    let affines = load_affines(row_block, b, quad);
    let first = i % 2u * 4u;
    var v = vec4f();
    for (var c = 0u; c < 4u; c++) { v[c] = scaled(affines, rows_at(run, first + c), 1.0)[side]; }
    y[group.x * KB * 8u + i] = placed(v * f32(SCALE), rows[group.x].y, i);
  }
}
