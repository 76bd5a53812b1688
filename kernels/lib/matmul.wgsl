// The product every linear layer shares: for each quad of weight rows and each activation row m,
//   (y[m, n], …, y[m, n + 3]) = (dot(W[n], x[m]), …, dot(W[n + 3], x[m])), handed to `store_pair` by pairs.
//   x [rows, KB * 32] f32, padded with zeros; W through its format.
// An invocation owns a quad and TILE_ROWS activation rows. The columns are cut into SPLIT runs, added in order, and inside a
// run summed block by block: the same order for every tile, so an answer does not depend on the batch. Every product that
// is added is an explicit fma, so that no compiler may round it one way here and another there.
var<workgroup> partial: array<vec4f, SPLIT * LANES * TILE_ROWS>;

fn matmul(lane: Lane) {
  let quad = lane_of(lane);
  let item = lane.group.x * LANES + quad;
  let row_block = min(item / 8u, ROW_BLOCKS - 1u);
  let first_row = lane.group.y * TILE_ROWS;
  const BLOCKS = (KB + SPLIT - 1u) / SPLIT;
  let start = lane.local.y * BLOCKS;
  var acc: array<vec4f, TILE_ROWS>;
  // No constant to a compiler, which unrolls short loops whole and takes seconds for it; uniform, since shuffles need that.
  let opaque = select(0u, 1u, x_first() > 3.0e38);
  // Sixteen loads and more at once do not fit the registers of a CPU adapter.
  let runs = 4u + select(0u, opaque, UNITS > 8u && TILE_ROWS == 1u);
  for (var i = 0u; i < BLOCKS + opaque; i++) {
    let b = min(start + i, KB - 1u);
    var held: array<Held, TILE_ROWS>;
    for (var m = 0u; m < TILE_ROWS; m++) { held[m] = x_hold((first_row + m) * (KB * 8u) + b * 8u, lane); }
    // Zeroed in words: on lavapipe (Mesa 25.0) a variable without an initialiser keeps the last round's value.
    var total = array<vec4f, TILE_ROWS>();
    var sum = array<f32, TILE_ROWS>();
    for (var r = 0u; r < runs; r++) {
      let run = load_run(row_block, b, r, item % 8u);
      for (var h = 0u; h < 2u; h++) {
        var v: array<vec4f, TILE_ROWS>;
        for (var m = 0u; m < TILE_ROWS; m++) {
          v[m] = x_take(held[m], r * 2u + h, lane);
          sum[m] += (v[m].x + v[m].y) + (v[m].z + v[m].w);
        }
        for (var c = 0u; c < 4u; c++) {
          let rows = rows_at(run, h * 4u + c);
          for (var m = 0u; m < TILE_ROWS; m++) { total[m] = fma(rows, vec4f(v[m][c]), total[m]); }
        }
      }
    }
    let affines = load_affines(row_block, b, item % 8u);
    for (var m = 0u; m < TILE_ROWS; m++) {
      acc[m] += select(vec4f(0.0), scaled(affines, total[m], sum[m]), start + i < KB);
    }
  }
  let place = (lane.local.y * LANES + quad) * TILE_ROWS;
  if (SPLIT > 1u) {
    for (var m = 0u; m < TILE_ROWS; m++) { partial[place + m] = acc[m]; }
    workgroupBarrier();
    if (lane.local.y > 0u) { return; }
    for (var m = 0u; m < TILE_ROWS; m++) {
      for (var s = 1u; s < SPLIT; s++) { acc[m] += partial[place + s * LANES * TILE_ROWS + m]; }
    }
  }
  for (var m = 0u; m < TILE_ROWS; m++) {
    store_pair(first_row + m, PAIR_START + item * 2u, acc[m].xy);
    store_pair(first_row + m, PAIR_START + item * 2u + 1u, acc[m].zw);
  }
}
