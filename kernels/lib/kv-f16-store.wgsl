// KV cache of f16, written a pair at a time: one word, so no two invocations share one.
@group(2) @binding(0) var<storage, read_write> kv_cache: array<u32>;
fn store_kv(row: u32, place: u32, head: u32, i: u32, pair: vec2f) {
  kv_cache[pair_place(place, head, i)] = pack2x16float(clamp(pair, vec2f(-65504.0), vec2f(65504.0)));
}
