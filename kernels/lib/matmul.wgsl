// The product every linear layer shares: for each pair of weight rows n, n+1 and each activation row m,
//   (y[m, n], y[m, n+1]) = (dot(W[n], x[m]), dot(W[n+1], x[m])), handed to `store_pair`.
//   x [rows, KB * 32] f32, padded with zeros; W through its format.
// An invocation owns TILE_PAIRS pairs and TILE_ROWS activation rows. The columns are cut into SPLIT runs, added in order,
// and inside a run summed block by block: the same order for every TILE, so an answer does not depend on the batch.
var<workgroup> partial: array<vec2f, SPLIT * LANES * TILE_PAIRS * TILE_ROWS>;

fn dot_into(w: vec4f, v: vec4f, acc: f32) -> f32 {
  return fma(w.w, v.w, fma(w.z, v.z, fma(w.y, v.y, fma(w.x, v.x, acc))));
}

fn matmul(lane: Lane) {
  let item = lane.group.x * LANES + lane.local.x;
  let column = item % 32u;
  let first_block = item / 32u * TILE_PAIRS;
  let first_row = lane.group.y * TILE_ROWS;
  const RUN = (KB + SPLIT - 1u) / SPLIT;
  let start = lane.local.y * RUN;
  var acc: array<vec2f, TILE_PAIRS * TILE_ROWS>;
  // Uniform, since shuffles need that; no constant, since compilers unroll short loops whole and take seconds for it.
  let rounds = RUN + select(0u, 1u, x[0].x > 3.0e38);
  for (var i = 0u; i < rounds; i++) {
    let b = min(start + i, KB - 1u);
    var blocks: array<Block, TILE_PAIRS * 2u>;
    for (var p = 0u; p < TILE_PAIRS; p++) {
      let pair_block = min(first_block + p, PAIR_BLOCKS - 1u);
      blocks[p * 2u] = load_block(pair_block, b, 0u, column);
      blocks[p * 2u + 1u] = load_block(pair_block, b, 1u, column);
    }
    var held: array<Held, TILE_ROWS>;
    for (var m = 0u; m < TILE_ROWS; m++) { held[m] = x_hold((first_row + m) * (KB * 8u) + b * 8u, lane); }
    // Zeroed in words: on lavapipe (Mesa 25.0) a variable without an initialiser keeps the last round's value.
    var total = array<vec2f, TILE_PAIRS * TILE_ROWS>();
    var sum = array<f32, TILE_ROWS>();
    for (var j = 0u; j < 8u; j++) {
      for (var m = 0u; m < TILE_ROWS; m++) {
        let v = x_take(held[m], j, lane);
        sum[m] += (v.x + v.y) + (v.z + v.w);
        for (var p = 0u; p < TILE_PAIRS; p++) {
          let t = p * TILE_ROWS + m;
          total[t] = vec2f(dot_into(weight4(blocks[p * 2u], j), v, total[t].x),
            dot_into(weight4(blocks[p * 2u + 1u], j), v, total[t].y));
        }
      }
    }
    for (var p = 0u; p < TILE_PAIRS; p++) {
      for (var m = 0u; m < TILE_ROWS; m++) {
        let t = p * TILE_ROWS + m;
        let y = vec2f(scaled(blocks[p * 2u], total[t].x, sum[m]), scaled(blocks[p * 2u + 1u], total[t].y, sum[m]));
        acc[t] += select(vec2f(0.0), y, start + i < KB);
      }
    }
  }
  if (SPLIT > 1u) {
    for (var i = 0u; i < TILE_PAIRS * TILE_ROWS; i++) {
      partial[(lane.local.y * LANES + lane.local.x) * (TILE_PAIRS * TILE_ROWS) + i] = acc[i];
    }
    workgroupBarrier();
    if (lane.local.y > 0u) { return; }
    for (var i = 0u; i < TILE_PAIRS * TILE_ROWS; i++) {
      for (var s = 1u; s < SPLIT; s++) {
        acc[i] += partial[(s * LANES + lane.local.x) * (TILE_PAIRS * TILE_ROWS) + i];
      }
    }
  }
  for (var p = 0u; p < TILE_PAIRS; p++) {
    for (var m = 0u; m < TILE_ROWS; m++) {
      store_pair(first_row + m, PAIR_START + (first_block + p) * 32u + column, acc[p * TILE_ROWS + m]);
    }
  }
}
