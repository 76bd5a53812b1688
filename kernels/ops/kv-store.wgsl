// Quantizes fresh keys and values to int8 with one scale a head of a token, and puts them into their page.
//   fresh [rows, 2 * KV_HEADS, HALF_PAD] pairs, keys first; rows (token, position, slot, place + 1; 0 when dead)
//   kv_cache: pages of int8 as kv-page.wgsl orders them, two pairs to a word, then the scales [2 * KV_HEADS, 16 tokens]
@group(0) @binding(0) var<storage, read> rows: array<vec4u>;
@group(0) @binding(1) var<storage, read> fresh: array<vec4f>;
@group(2) @binding(0) var<storage, read_write> kv_cache: array<u32>;

const WORDS = HALF_PAD / 2u; // of two pairs, a head
const PAGE_WORDS = 2u * KV_HEADS * (HALF_PAD * 8u + 16u);
var<workgroup> tops: array<f32, WG>;

fn byte_of(value: f32) -> u32 { return bitcast<u32>(i32(round(value))) & 255u; }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let row = group.y;
  let first = (row * 2u * KV_HEADS + head) * WORDS;
  var top = 0.0;
  for (var i = lane; i < WORDS; i += WG) {
    let v = abs(fresh[first + i]);
    top = max(top, max(max(v.x, v.y), max(v.z, v.w)));
  }
  tops[lane] = top;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tops[lane] = max(tops[lane], tops[lane + half]); }
  }
  workgroupBarrier();
  let most = min(tops[0], 3.0e38);
  if (rows[row].w == 0u) { return; }
  let place = rows[row].w - 1u;
  let page = place / 16u * PAGE_WORDS;
  let factor = select(0.0, 127.0 / most, most > 0.0);
  for (var i = lane; i < WORDS; i += WG) {
    let v = clamp(fresh[first + i] * factor, vec4f(-127.0), vec4f(127.0));
    let word = byte_of(v.x) | (byte_of(v.y) << 8u) | (byte_of(v.z) << 16u) | (byte_of(v.w) << 24u);
    kv_cache[page + pair_place(place % 16u, head, i * 2u) / 2u] = word;
  }
  if (lane == 0u) { kv_cache[page + 2u * KV_HEADS * HALF_PAD * 8u + head * 16u + place % 16u] = bitcast<u32>(most / 127.0); }
}
