// Chooses the CHOSEN experts with the highest logits for each row, of equals the lower number, and weighs them by softmax:
// over the chosen ones when RENORMALISE is 1, else over all. One workgroup a row: an expert's rank is how many come before.
//   logits [rows, STRIDE]; routes [rows, CHOSEN] (expert, bits of its weight), best first
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> routes: array<vec2u>;

var<workgroup> values: array<f32, EXPERTS>;
var<workgroup> order: array<u32, CHOSEN>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  for (var e = lane; e < EXPERTS; e += WG) { values[e] = logits[row * STRIDE + e]; }
  workgroupBarrier();
  for (var e = lane; e < EXPERTS; e += WG) {
    let own = values[e];
    var rank = 0u;
    for (var o = 0u; o < EXPERTS; o++) {
      let other = values[o];
      rank += select(0u, 1u, other > own || (other == own && o < e));
    }
    if (rank < CHOSEN) { order[rank] = e; }
  }
  workgroupBarrier();
  let top = values[order[0]];
  var total = 0.0;
  if (RENORMALISE == 1u) {
    for (var i = 0u; i < CHOSEN; i++) { total += exp(values[order[i]] - top); }
  } else {
    for (var e = 0u; e < EXPERTS; e++) { total += exp(values[e] - top); }
  }
  for (var i = lane; i < CHOSEN; i += WG) {
    routes[row * CHOSEN + i] = vec2u(order[i], bitcast<u32>(exp(values[order[i]] - top) / total));
  }
}
