// Causal attention over paged keys and values with a running softmax (FlashAttention, Dao et al. 2022; Milakov and
// Gimelshein 2018): no score matrix in memory, any length. Eight invocations serve QUERIES queries (rows × the GROUP heads
// that share a key/value head): side by side they score eight keys, then add up eight runs of a value's dimensions. SPLIT
// such octets take turns in tiles of keys and add up in order, span by span of keys (see spans.wgsl): an answer depends on
// SPLIT, and not on who shares the tile.
//   rows (token, position, slot, place + 1); tiles (first row, rows of one sequence with rising positions, slot, 0)
//   page_table [slots, MAX_PAGES]; q [rows, HEADS, HALF_PAD] pairs; y [rows, Y_STRIDE] f32, head h at h * 2 * HALF
@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> page_table: array<u32>;
@group(0) @binding(3) var<storage, read> tiles: array<vec4u>;

@compute @workgroup_size(8, SPLIT)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
  let tile = tiles[group.y];
  let kv = group.x;
  let first = group.z % BLOCKS * QUERIES;
  let live = tile.y * GROUP;
  let table = tile.z * MAX_PAGES;
  let longest = rows[tile.x + tile.y - 1u].y + 1u;
  let start = first_key(rows[tile.x].y);
  let is_apart = groups.z > BLOCKS;
  let begin = start / SPAN + group.z / BLOCKS;
  if (first >= live || begin * SPAN >= longest) { return; }
  let until = select(longest, min(longest, begin * SPAN + SPAN), is_apart);
  let l = lane.local.x;
  var lengths: array<u32, QUERIES>;
  var qa: array<vec4f, QUERIES * HOLD>;
  var qb: array<vec4f, QUERIES * HOLD>;
  var all: array<Softmax, QUERIES>;
  var loaded: Loaded;
  load_queries(&loaded, tile.x, kv, first, live - 1u, l);
  for (var i = 0u; i < QUERIES; i++) {
    lengths[i] = loaded.lengths[i];
    for (var h = 0u; h < HOLD; h++) {
      qa[i * HOLD + h] = loaded.queries[(i * HOLD + h) * 2u];
      qb[i * HOLD + h] = loaded.queries[(i * HOLD + h) * 2u + 1u];
      give4((i * HOLD + h) * 2u, qa[i * HOLD + h], lane);
      give4((i * HOLD + h) * 2u + 1u, qb[i * HOLD + h], lane);
    }
  }
  for (var span = begin; span * SPAN < until; span++) {
    var tops: array<f32, QUERIES>;
    var sums: array<f32, QUERIES>;
    var low = Sums();
    var high = Sums();
    for (var i = 0u; i < QUERIES; i++) {
      let begins = first_of(span, lengths[i], kv * GROUP + min(first + i, live - 1u) % GROUP, lane);
      tops[i] = begins.top;
      sums[i] = begins.sum;
    }
    for (var round = max(span * SPAN, start / ROUND * ROUND); round < min(until, span * SPAN + SPAN); round += ROUND) {
      let t = round + lane.local.y * TILE;
      settle();
      var s = array<f32, QUERIES * KEYS>();
      var base: array<u32, KEYS>;
      var scales: array<vec2f, KEYS>;
      for (var k = 0u; k < KEYS; k++) {
        let key = clamp(t + k * 8u + l, start, longest - 1u); // pages before it are somebody else's
        let page = page_table[table + key / 16u];
        base[k] = page * PAGE_UNITS + kv * CHUNKS * 16u + key % 16u;
        scales[k] = vec2f(kv_scale(page, kv, key % 16u), kv_scale(page, KV_HEADS + kv, key % 16u));
      }
      for (var c = 0u; c < opaque(CHUNKS); c++) {
        var keys: array<Pairs, KEYS>;
        for (var k = 0u; k < KEYS; k++) { keys[k] = load_kv(base[k] + c * 16u); }
        for (var i = 0u; i < QUERIES; i++) {
          let at = (i * HOLD + c / 8u) * 2u;
          let a = take4(at, held(&qa, i, c / 8u), c % 8u, lane);
          let b = take4(at + 1u, held(&qb, i, c / 8u), c % 8u, lane);
          for (var k = 0u; k < KEYS; k++) {
            s[i * KEYS + k] = dot4(keys[k].high, b, dot4(keys[k].low, a, s[i * KEYS + k]));
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
          set_sum(&low, i * HOLD + h, sum_at(&low, i * HOLD + h) * fade);
          set_sum(&high, i * HOLD + h, sum_at(&high, i * HOLD + h) * fade);
        }
      }
      settle();
      for (var k = 0u; k < opaque(KEYS); k++) {
        let eight = clamp(t + k * 8u, start & ~7u, (longest - 1u) & ~7u);
        let count = min(8u, longest - min(longest, round + k * 8u));
        let last = min(7u, longest - 1u - eight);
        let place = page_table[table + eight / 16u] * PAGE_UNITS + ((KV_HEADS + kv) * 16u + eight % 16u) * CHUNKS;
        for (var c = 0u; c < count; c += TOGETHER) {
          for (var j = 0u; j < TOGETHER; j++) {
            for (var h = 0u; h < HOLD; h++) {
              let v = load_kv(place + min(c + j, last) * CHUNKS + min(h * 8u + l, CHUNKS - 1u));
              for (var i = 0u; i < QUERIES; i++) {
                let weight = vec4f(take(i * KEYS + k, s[i * KEYS], c + j, lane));
                set_sum(&low, i * HOLD + h, fma(v.low, weight, sum_at(&low, i * HOLD + h)));
                set_sum(&high, i * HOLD + h, fma(v.high, weight, sum_at(&high, i * HOLD + h)));
              }
            }
          }
        }
        // The next eight weights move up: an index that is no constant would put them all into memory.
        for (var n = 0u; n < QUERIES * KEYS - 1u; n++) { s[n] = s[n + 1u]; }
      }
    }
    var ends: array<Softmax, QUERIES>; // copies, for loops that are not unrolled
    var values: array<vec4f, VECTORS>;
    settle();
    for (var i = 0u; i < QUERIES; i++) {
      give(i, sums[i], lane);
      ends[i] = Softmax(tops[i], sums[i]);
    }
    for (var n = 0u; n < QUERIES * HOLD; n++) {
      values[n * 2u] = sum_at(&low, n);
      values[n * 2u + 1u] = sum_at(&high, n);
    }
    settle();
    end_span(Place(tile.x, kv, first, live, span, is_apart), &ends, &values, &all, lane);
  }
}
