// The sizes of attention's tiles, and arithmetic over arrays that must stay in registers: their indices are constants once
// loops are unrolled.
const HOLD = (CHUNKS + 7u) / 8u; // chunks of a head that an invocation holds
const TILE = 8u * KEYS;
const ROUND = TILE * SPLIT;
// Values that are loaded side by side; for many queries that is more code than a processor keeps in its caches.
const TOGETHER = select(2u, 1u, QUERIES > 4u);
const FLOATS = QUERIES * (KEYS + 1u);
const SUMS = QUERIES * HOLD; // what an invocation adds up of the values, of low pairs and of high ones
const VECTORS = 2u * SUMS;

// The same number, but no constant to a compiler: it unrolls loops of few rounds whole, and takes seconds for it.
fn opaque(bound: u32) -> u32 { return bound + (rows[0].w >> 31u); }

fn held(values: ptr<function, array<vec4f, QUERIES * HOLD>>, i: u32, h: u32) -> vec4f {
  var value = values[i * HOLD];
  for (var n = 1u; n < HOLD; n++) { value = select(value, values[i * HOLD + n], n == h); }
  return value;
}

fn dot4(a: vec4f, b: vec4f, acc: f32) -> f32 { return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, acc)))); }

// The tokens that each query sees, and what the invocation holds of the queries, scaled: to be copied to where indices are
// constants. The loops are not unrolled: a load is much code to a CPU adapter, and these come once.
struct Loaded { lengths: array<u32, QUERIES>, queries: array<vec4f, VECTORS>, }
fn load_queries(into: ptr<function, Loaded>, first_row: u32, kv: u32, first: u32, last: u32, lane: u32) {
  for (var i = 0u; i < opaque(QUERIES); i++) {
    let query = min(first + i, last);
    let row = first_row + query / GROUP;
    let head = (row * HEADS + kv * GROUP + query % GROUP) * CHUNKS;
    (*into).lengths[i] = rows[row].y + 1u;
    for (var h = 0u; h < opaque(HOLD * 2u); h++) {
      let at = (head + min(h / 2u * 8u + lane, CHUNKS - 1u)) * 2u + h % 2u;
      (*into).queries[i * HOLD * 2u + h] = q[at] * f32(SCALE);
    }
  }
}
