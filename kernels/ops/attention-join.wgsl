// Adds up what the spans of a row left, in order, where it has several (flash decoding, Dao et al. 2023). Eight invocations
// serve a head of a row.
//   rows (token, position, slot, place + 1); partials: see spans.wgsl; y [rows, Y_STRIDE] f32, head h at h * 2 * HALF
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) lane: vec3u) {
  let row = group.y;
  let spans = spans_of(rows[row].y + 1u);
  if (spans.x == spans.y) { return; }
  for (var chunk = lane.x; chunk < CHUNKS; chunk += 8u) {
    var all = Softmax(LOWEST, 0.0);
    var low = vec4f();
    var high = vec4f();
    for (var span = 0u; span <= spans.y - spans.x; span++) {
      let at = partial_at(row, group.x, span);
      let by = join(all, Softmax(partials[at].x, partials[at].y));
      all = by.all;
      low = blend(by, partials[at + 1u + 2u * chunk], low);
      high = blend(by, partials[at + 2u + 2u * chunk], high);
    }
    let whole = 1.0 / all.sum;
    store_chunk(row, group.x, chunk, low * whole, high * whole);
  }
}
