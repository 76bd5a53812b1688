// KV cache of f32, written a pair at a time.
@group(2) @binding(0) var<storage, read_write> kv_cache: array<vec2f>;
fn store_kv(row: u32, place: u32, head: u32, i: u32, pair: vec2f) { kv_cache[pair_place(place, head, i)] = pair; }
