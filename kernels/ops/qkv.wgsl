// Projects to queries, keys and values, rotates queries and keys (RoFormer, Su et al. 2021), and writes keys and values
// into their page. A pair holds dimensions i and i + HALF of one head; heads come queries first, then keys, then values.
//   x [rows, columns padded to 32]; bias [pairs]; rows (token, position, slot, place + 1; 0 when dead)
//   rotary [positions, HALF] (cos, sin); q [rows, HEADS, HALF_PAD] pairs
//   keys and values go where `store_kv` of the cache's number type puts them; place = page * 16 + token
@group(0) @binding(1) var<storage, read> bias: array<vec2f>;
@group(0) @binding(2) var<storage, read> rows: array<vec4u>;
@group(0) @binding(3) var<storage, read> rotary: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> q: array<vec2f>;

fn store_pair(row: u32, pair: u32, value: vec2f, factor: f32) {
  if (pair >= PAIR_END || rows[row].w == 0u) { return; }
  let head = pair / HALF;
  let i = pair % HALF;
  let position = rows[row].y;
  var v = fma(value, vec2f(factor), bias[pair]);
  if (head < HEADS + KV_HEADS) {
    let turn = rotary[position * HALF + i];
    v = vec2f(fma(v.x, turn.x, -(v.y * turn.y)), fma(v.y, turn.x, v.x * turn.y));
  }
  if (head < HEADS) {
    q[(row * HEADS + head) * HALF_PAD + i] = v;
    return;
  }
  store_kv(row, rows[row].w - 1u, head - HEADS, i, v);
}

@compute @workgroup_size(LANES, SPLIT)
fn main(lane: Lane) { matmul(lane); }
