// Causal attention over paged keys and values with a running softmax (FlashAttention, Dao et al. 2022; Milakov and
// Gimelshein 2018): no score matrix in memory, any length. Eight invocations serve QUERIES queries (rows × the GROUP heads
// that share a key/value head): side by side they score eight keys, then add up eight runs of a value's dimensions. SPLIT
// such octets take turns in tiles of keys and add up in order: an answer depends on SPLIT, and not on who shares the tile.
//   rows (token, position, slot, place + 1); tiles (first row, rows of one sequence with rising positions, slot, 0)
//   page_table [slots, MAX_PAGES]; q [rows, HEADS, HALF_PAD] pairs; y [rows, Y_STRIDE] f32, head h at h * 2 * HALF
@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> page_table: array<u32>;
@group(0) @binding(3) var<storage, read> tiles: array<vec4u>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

const CHUNKS = HALF_PAD / 4u; // of four pairs
const HOLD = (CHUNKS + 7u) / 8u; // chunks of a head that an invocation holds
const TILE = 8u * KEYS;
const LOWEST = -3.0e38;
const FLOATS = QUERIES * (KEYS + 1u);
const VECTORS = QUERIES * HOLD * 2u;

// The same number, but no constant to a compiler: it unrolls loops of few rounds whole, and takes seconds for it.
fn opaque(bound: u32) -> u32 { return bound + (rows[0].w >> 31u); }

fn dot4(a: vec4f, b: vec4f, acc: f32) -> f32 { return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, acc)))); }

@compute @workgroup_size(8, SPLIT)
fn main(@builtin(workgroup_id) group: vec3u, lane: Lane) {
  let tile = tiles[group.y];
  let kv = group.x;
  let first = group.z * QUERIES;
  let live = tile.y * GROUP;
  if (first >= live) { return; }
  let table = tile.z * MAX_PAGES;
  let longest = rows[tile.x + tile.y - 1u].y + 1u;
  let l = lane.local.x;
  var lengths: array<u32, QUERIES>;
  var qa: array<vec4f, QUERIES * HOLD>;
  var qb: array<vec4f, QUERIES * HOLD>;
  var tops: array<f32, QUERIES>;
  var sums: array<f32, QUERIES>;
  var low: array<vec4f, QUERIES * HOLD>;
  var high: array<vec4f, QUERIES * HOLD>;
  for (var i = 0u; i < QUERIES; i++) {
    let query = min(first + i, live - 1u);
    let row = tile.x + query / GROUP;
    lengths[i] = rows[row].y + 1u;
    tops[i] = first_top(kv * GROUP + query % GROUP);
    sums[i] = first_sum(lane);
    for (var h = 0u; h < HOLD; h++) {
      let at = ((row * HEADS + kv * GROUP + query % GROUP) * CHUNKS + min(h * 8u + l, CHUNKS - 1u)) * 2u;
      qa[i * HOLD + h] = q[at] * f32(SCALE);
      qb[i * HOLD + h] = q[at + 1u] * f32(SCALE);
      give4((i * HOLD + h) * 2u, qa[i * HOLD + h], lane);
      give4((i * HOLD + h) * 2u + 1u, qb[i * HOLD + h], lane);
    }
  }
  for (var round = first_key(rows[tile.x].y) / (TILE * SPLIT) * (TILE * SPLIT); round < longest; round += TILE * SPLIT) {
    let t = round + lane.local.y * TILE;
    settle();
    var s = array<f32, QUERIES * KEYS>();
    var base: array<u32, KEYS>;
    var scales: array<vec2f, KEYS>;
    for (var k = 0u; k < KEYS; k++) {
      let key = min(t + k * 8u + l, longest - 1u);
      let page = page_table[table + key / 16u];
      base[k] = page * PAGE_UNITS + kv * CHUNKS * 16u + key % 16u;
      scales[k] = vec2f(kv_scale(page, kv, key % 16u), kv_scale(page, KV_HEADS + kv, key % 16u));
    }
    for (var h = 0u; h < HOLD; h++) {
      for (var c = 0u; c < opaque(min(8u, CHUNKS - h * 8u)); c++) {
        var keys: array<Pairs, KEYS>;
        for (var k = 0u; k < KEYS; k++) { keys[k] = load_kv(base[k] + (h * 8u + c) * 16u); }
        for (var i = 0u; i < QUERIES; i++) {
          let a = take4((i * HOLD + h) * 2u, qa[i * HOLD + h], c, lane);
          let b = take4((i * HOLD + h) * 2u + 1u, qb[i * HOLD + h], c, lane);
          for (var k = 0u; k < KEYS; k++) {
            s[i * KEYS + k] = dot4(keys[k].high, b, dot4(keys[k].low, a, s[i * KEYS + k]));
          }
        }
      }
    }
    var highest: array<f32, QUERIES>;
    for (var i = 0u; i < QUERIES; i++) {
      highest[i] = LOWEST;
      for (var k = 0u; k < KEYS; k++) {
        s[i * KEYS + k] = select(f32(LOWEST), score_of(s[i * KEYS + k] * scales[k].x), sees(t + k * 8u + l, lengths[i]));
        highest[i] = max(highest[i], s[i * KEYS + k]);
      }
      give(QUERIES * KEYS + i, highest[i], lane);
    }
    settle();
    for (var i = 0u; i < QUERIES; i++) {
      let top = max(tops[i], octet_max(QUERIES * KEYS + i, highest[i], lane));
      let fade = exp(tops[i] - top);
      tops[i] = top;
      var added = 0.0;
      for (var k = 0u; k < KEYS; k++) {
        let weight = exp(s[i * KEYS + k] - top);
        added += weight;
        s[i * KEYS + k] = weight * scales[k].y;
        give(i * KEYS + k, s[i * KEYS + k], lane);
      }
      sums[i] = fma(sums[i], fade, added);
      for (var h = 0u; h < HOLD; h++) {
        low[i * HOLD + h] *= fade;
        high[i * HOLD + h] *= fade;
      }
    }
    settle();
    for (var k = 0u; k < KEYS; k++) {
      let start = min(t + k * 8u, (longest - 1u) & ~7u);
      let count = min(8u, longest - min(longest, round + k * 8u));
      let place = page_table[table + start / 16u] * PAGE_UNITS + ((KV_HEADS + kv) * 16u + start % 16u) * CHUNKS;
      for (var c = 0u; c < count; c++) {
        for (var h = 0u; h < HOLD; h++) {
          let v = load_kv(place + c * CHUNKS + min(h * 8u + l, CHUNKS - 1u));
          for (var i = 0u; i < QUERIES; i++) {
            let weight = vec4f(take(i * KEYS + k, s[i * KEYS + k], c, lane));
            low[i * HOLD + h] = fma(v.low, weight, low[i * HOLD + h]);
            high[i * HOLD + h] = fma(v.high, weight, high[i * HOLD + h]);
          }
        }
      }
    }
  }
  settle();
  for (var i = 0u; i < QUERIES; i++) { give(i, sums[i], lane); }
  settle();
  for (var i = 0u; i < QUERIES; i++) {
    let factor = factor_of(tops[i], octet_add(i, sums[i], lane), lane);
    let query = first + i;
    for (var h = 0u; h < HOLD; h++) {
      let a = over_octets(low[i * HOLD + h] * factor, lane);
      let b = over_octets(high[i * HOLD + h] * factor, lane);
      if (lane.local.y == 0u && query < live) {
        store_chunk(tile.x + query / GROUP, kv * GROUP + query % GROUP, h * 8u + l, a, b);
      }
    }
  }
}
