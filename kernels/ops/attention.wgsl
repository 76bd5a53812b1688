// Causal attention over paged keys and values with a running softmax (FlashAttention, Dao et al. 2022; Milakov and
// Gimelshein 2018): no score matrix in memory, any length. One workgroup serves one row and the GROUP query heads that
// share a key/value head. Tiles start at position 0 and are added in order, so a row's answer does not depend on its batch.
//   rows (token, position, sequence, slot + 1; 0 when dead); page_table [sequences, MAX_PAGES]
//   q [rows, HEADS, HALF_PAD] pairs; y [rows, Y_STRIDE] f32, head h at h * 2 * HALF
@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> page_table: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const CHUNKS = HALF_PAD / 4u; // four pairs each; an even number
const KEYS = TILE / WG; // keys an invocation scores in a tile
const ITEMS = (GROUP * CHUNKS + WG - 1u) / WG; // (head, chunk) sums an invocation keeps
const LOWEST = -3.0e38;

var<workgroup> weights: array<f32, GROUP * TILE>;
var<workgroup> highest: array<f32, GROUP * WG>;
var<workgroup> tops: array<f32, GROUP>;
var<workgroup> fades: array<f32, GROUP>;
var<workgroup> totals: array<f32, GROUP>;

// The same number, but no constant to a compiler: it unrolls loops of few rounds whole, and takes seconds for it.
fn opaque(bound: u32) -> u32 { return bound + (rows[0].w >> 31u); }

fn dot4(a: vec4f, b: vec4f, acc: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, acc))));
}

fn score_tile(tile: u32, length: u32, table: u32, row: u32, kv: u32, lane: u32) {
  var s: array<f32, GROUP * KEYS>;
  var base: array<u32, KEYS>;
  let steps = opaque(CHUNKS / 2u);
  for (var k = 0u; k < KEYS; k++) {
    let key = min(tile + lane + k * WG, length - 1u);
    base[k] = (page_table[table + key / 16u] * 2u * KV_HEADS + kv) * CHUNKS * 16u + key % 16u;
  }
  for (var step = 0u; step < steps; step++) {
    for (var half = 0u; half < 2u; half++) {
      let c = step * 2u + half;
      var keys: array<Pairs, KEYS>;
      for (var k = 0u; k < KEYS; k++) { keys[k] = load_kv(base[k] + c * 16u); }
      for (var g = 0u; g < GROUP; g++) {
        let at = ((row * HEADS + kv * GROUP + g) * CHUNKS + c) * 2u;
        let low = q[at];
        let high = q[at + 1u];
        for (var k = 0u; k < KEYS; k++) {
          s[g * KEYS + k] = dot4(keys[k].high, high, dot4(keys[k].low, low, s[g * KEYS + k]));
        }
      }
    }
  }
  for (var g = 0u; g < GROUP; g++) {
    var top = f32(LOWEST);
    for (var k = 0u; k < KEYS; k++) {
      let live = tile + lane + k * WG < length;
      let score = select(f32(LOWEST), s[g * KEYS + k] * f32(SCALE), live);
      weights[g * TILE + lane + k * WG] = score;
      top = max(top, score);
    }
    highest[g * WG + lane] = top;
  }
}

fn raise_top(g: u32) {
  var top = tops[g];
  for (var i = 0u; i < opaque(WG); i++) { top = max(top, highest[g * WG + i]); }
  fades[g] = exp(tops[g] - top);
  tops[g] = top;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let kv = group.x;
  let row = group.y;
  let info = rows[row];
  let length = select(0u, info.y + 1u, info.w != 0u);
  let table = info.z * MAX_PAGES;
  var low: array<vec4f, ITEMS>;
  var high: array<vec4f, ITEMS>;
  for (var g = lane; g < GROUP; g += WG) {
    tops[g] = LOWEST;
    totals[g] = 0.0;
  }
  for (var tile = 0u; tile < length; tile += TILE) {
    workgroupBarrier();
    score_tile(tile, length, table, row, kv, lane);
    workgroupBarrier();
    for (var g = lane; g < GROUP; g += WG) { raise_top(g); }
    workgroupBarrier();
    for (var i = lane; i < GROUP * TILE; i += WG) { weights[i] = exp(weights[i] - tops[i / TILE]); }
    workgroupBarrier();
    for (var g = lane; g < GROUP; g += WG) {
      var total = totals[g] * fades[g];
      for (var i = 0u; i < min(TILE, length - tile); i++) { total += weights[g * TILE + i]; }
      totals[g] = total;
    }
    for (var n = 0u; n < ITEMS; n++) {
      let item = min(lane + n * WG, GROUP * CHUNKS - 1u);
      let fade = fades[item / CHUNKS];
      low[n] *= fade;
      high[n] *= fade;
    }
    for (var i = 0u; i < min(TILE, length - tile); i++) {
      let key = tile + i;
      let base = (((page_table[table + key / 16u] * 2u + 1u) * KV_HEADS + kv) * 16u + key % 16u) * CHUNKS;
      for (var n = 0u; n < ITEMS; n++) {
        let item = min(lane + n * WG, GROUP * CHUNKS - 1u);
        let weight = vec4f(weights[item / CHUNKS * TILE + i]);
        let v = load_kv(base + item % CHUNKS);
        low[n] = fma(v.low, weight, low[n]);
        high[n] = fma(v.high, weight, high[n]);
      }
    }
  }
  workgroupBarrier();
  for (var n = 0u; n < ITEMS; n++) {
    let item = lane + n * WG;
    if (item >= GROUP * CHUNKS || length == 0u) { continue; }
    let rest = 1.0 / totals[item / CHUNKS];
    let first = row * Y_STRIDE + (kv * GROUP + item / CHUNKS) * 2u * HALF;
    let pairs = array(low[n].xy, low[n].zw, high[n].xy, high[n].zw);
    for (var i = 0u; i < 4u; i++) {
      let dim = item % CHUNKS * 4u + i;
      if (dim >= HALF) { break; }
      y[first + dim] = pairs[i].x * rest;
      y[first + HALF + dim] = pairs[i].y * rest;
    }
  }
}
