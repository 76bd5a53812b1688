// Keys and values set down by row, for `kv-store` to quantize a head at a time: fresh [rows, 2 * KV_HEADS, HALF_PAD] pairs.
@group(2) @binding(0) var<storage, read_write> fresh: array<vec2f>;
fn store_kv(row: u32, place: u32, head: u32, i: u32, pair: vec2f) { fresh[(row * 2u * KV_HEADS + head) * HALF_PAD + i] = pair; }
