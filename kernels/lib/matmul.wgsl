// The product every linear layer shares: for each quad of weight rows and each activation row m,
//   (y[m, n], …, y[m, n + 3]) = (dot(W[n], x[m]), …, dot(W[n + 3], x[m])), stored as matmul-end.wgsl says.
//   x [rows, X_ROW * 4] f32, of which KB * 32 columns, padded with zeros; W through its format.
// The columns are cut into SPLIT runs, added in order, and inside a run summed block by block: the same order for every
// tile, so an answer does not depend on the batch. Every product that is added is an explicit fma, so that no compiler may
// round it one way here and another there.
fn matmul(lane: Lane) {
  let first_item = first_item_of(lane);
  let first_row = lane.group.y * TILE_ROWS;
  const BLOCKS = (KB + SPLIT - 1u) / SPLIT;
  let start = lane.local.y * BLOCKS;
  var acc: array<vec4f, TILE>;
  // No constant to a compiler, which unrolls short loops whole and takes seconds for it; uniform, since shuffles need that.
  let opaque = select(0u, 1u, x_first() > 3.0e38);
  // Sixteen loads and more at once do not fit the registers of a CPU adapter.
  let runs = 4u + select(0u, opaque, UNITS > 8u && TILE_ROWS == 1u);
  for (var i = 0u; i < BLOCKS + opaque; i++) {
    let b = min(start + i, KB - 1u);
    var held: array<Held, TILE_ROWS>;
    for (var m = 0u; m < TILE_ROWS; m++) { held[m] = x_hold((first_row + m) * X_ROW + b * 8u, lane); }
    // Zeroed in words: on lavapipe (Mesa 25.0) a variable without an initialiser keeps the last round's value.
    var total = array<vec4f, TILE>();
    var sum = array<f32, TILE_ROWS>();
    for (var r = 0u; r < runs; r++) {
      var run: array<Run, QUADS>;
      for (var q = 0u; q < QUADS; q++) {
        let item = first_item + q * LANES;
        run[q] = load_run(row_block_of(item), b, r, item % 8u);
      }
      for (var h = 0u; h < 2u; h++) {
        var v: array<vec4f, TILE_ROWS>;
        for (var m = 0u; m < TILE_ROWS; m++) {
          v[m] = x_take(held[m], r * 2u + h, lane);
          sum[m] += (v[m].x + v[m].y) + (v[m].z + v[m].w);
        }
        for (var c = 0u; c < 4u; c++) {
          for (var q = 0u; q < QUADS; q++) {
            let rows = rows_at(run[q], h * 4u + c);
            for (var m = 0u; m < TILE_ROWS; m++) {
              total[q * TILE_ROWS + m] = fma(rows, vec4f(v[m][c]), total[q * TILE_ROWS + m]);
            }
          }
        }
      }
    }
    for (var q = 0u; q < QUADS; q++) {
      let item = first_item + q * LANES;
      let affines = load_affines(row_block_of(item), b, item % 8u);
      for (var m = 0u; m < TILE_ROWS; m++) {
        let value = scaled(affines, total[q * TILE_ROWS + m], sum[m]);
        acc[q * TILE_ROWS + m] += select(vec4f(0.0), value, start + i < KB);
      }
    }
  }
  store_tile(&acc, lane, opaque);
}
