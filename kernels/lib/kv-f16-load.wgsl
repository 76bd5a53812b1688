// KV cache of f16, read four pairs at a time.
@group(2) @binding(0) var<storage, read_write> kv_cache: array<vec4u>;
const PAGE_UNITS = 2u * KV_HEADS * HALF_PAD * 4u; // units of four pairs in a page
struct Pairs { low: vec4f, high: vec4f, }
fn load_kv(at: u32) -> Pairs {
  let w = kv_cache[at];
  return Pairs(vec4f(unpack2x16float(w.x), unpack2x16float(w.y)), vec4f(unpack2x16float(w.z), unpack2x16float(w.w)));
}
fn kv_scale(page: u32, head: u32, token: u32) -> f32 { return 1.0; }
