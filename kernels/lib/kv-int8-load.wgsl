// KV cache of int8, read four pairs at a time; the scales of a page's heads and tokens follow its values.
@group(2) @binding(0) var<storage, read_write> kv_cache: array<vec2u>;
const SCALES_AT = 2u * KV_HEADS * HALF_PAD * 4u;
const PAGE_UNITS = SCALES_AT + 16u * KV_HEADS; // units of four pairs in a page, scales included
struct Pairs { low: vec4f, high: vec4f, }
fn signed4(word: u32) -> vec4f {
  let w = bitcast<i32>(word);
  return vec4f(vec4i(w << 24u, w << 16u, w << 8u, w) >> vec4u(24u));
}
fn load_kv(at: u32) -> Pairs {
  let w = kv_cache[at];
  return Pairs(signed4(w.x), signed4(w.y));
}
fn kv_scale(page: u32, head: u32, token: u32) -> f32 {
  let at = head * 16u + token;
  let pair = kv_cache[page * PAGE_UNITS + SCALES_AT + at / 2u];
  return bitcast<f32>(select(pair.x, pair.y, (at & 1u) == 1u));
}
