// KV cache of f32, written a pair (i, i + half) at a time.
@group(2) @binding(0) var<storage, read_write> kv_cache: array<vec2f>;
fn store_kv(at: u32, pair: vec2f) { kv_cache[at] = pair; }
