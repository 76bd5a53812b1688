// Norms queries and keys (RMS over a head, or over all heads of a kind when ACROSS is 1), rotates them, and puts keys and
// values into their page: what `qkv` does in one go where nothing is normed. One workgroup a head of a row.
//   projected [rows, (HEADS + 2 * KV_HEADS) * HALF pairs padded to STRIDE]; rows (token, position, slot, place + 1; 0: dead)
//   weight [HEADS + KV_HEADS, HALF] pairs; rotary [positions, HALF] (cos, sin); q [rows, HEADS, HALF_PAD] pairs
@group(0) @binding(0) var<storage, read> projected: array<vec2f>;
@group(0) @binding(1) var<storage, read> weight: array<vec2f>;
@group(0) @binding(2) var<storage, read> rows: array<vec4u>;
@group(0) @binding(3) var<storage, read> rotary: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> q: array<vec2f>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, lane: Lane) {
  let head = group.x;
  let row = group.y;
  let origin = row * STRIDE;
  let is_query = head < HEADS;
  let is_value = head >= HEADS + KV_HEADS;
  var begin = head * HALF;
  var count = HALF;
  if (ACROSS == 1u && !is_value) {
    begin = select(HEADS * HALF, 0u, is_query);
    count = select(KV_HEADS, HEADS, is_query) * HALF;
  }
  var sum = 0.0;
  for (var i = lane.id; i < count; i += WG) {
    let v = projected[origin + begin + i];
    sum += dot(v, v);
  }
  let scale = inverseSqrt(reduce_add(sum, lane) / f32(count * 2u) + f32(EPS));
  if (rows[row].w == 0u) { return; }
  let place = rows[row].w - 1u;
  for (var i = lane.id; i < HALF; i += WG) {
    var v = projected[origin + head * HALF + i];
    if (!is_value) {
      v *= scale * weight[head * HALF + i];
      let turn = rotary[rows[row].y * HALF + i];
      v = vec2f(fma(v.x, turn.x, -(v.y * turn.y)), fma(v.y, turn.x, v.x * turn.y));
    }
    if (is_query) {
      q[(row * HEADS + head) * HALF_PAD + i] = v;
    } else {
      store_kv(row, place, head - HEADS, i, v);
    }
  }
}
