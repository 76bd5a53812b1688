// The product every linear layer shares: for each pair of weight rows n, n+1 and each activation row m,
//   (y[m, n], y[m, n+1]) = (dot(W[n], x[m]), dot(W[n+1], x[m])), handed to `store_pair`.
//   x [rows, KB * 32] f32, padded with zeros; W through its format.
// An invocation owns TILE_PAIRS pairs and TILE_ROWS activation rows. The columns are cut into SPLIT runs, added in order,
// and inside a run summed block by block: the same order for every tile, so an answer does not depend on the batch.
// Every product that is added is an explicit fma, so that no compiler may round it one way here and another there.
var<workgroup> partial: array<Sides, SPLIT * LANES * TILE_ROWS>;

fn add_columns(w: Columns, v: vec4f, total: Sides) -> Sides {
  return fma(w.w, Sides(v.w), fma(w.z, Sides(v.z), fma(w.y, Sides(v.y), fma(w.x, Sides(v.x), total))));
}

fn matmul(lane: Lane) {
  let item = lane.group.x * LANES + lane.local.x;
  let column = item % 32u;
  let pair_block = item / 32u * TILE_PAIRS;
  let first_row = lane.group.y * TILE_ROWS;
  const RUN = (KB + SPLIT - 1u) / SPLIT;
  let start = lane.local.y * RUN;
  var acc: array<Sides, TILE_ROWS>;
  // Uniform, since shuffles need that; no constant, since compilers unroll short loops whole and take seconds for it.
  let rounds = RUN + select(0u, 1u, x[0].x > 3.0e38);
  for (var i = 0u; i < rounds; i++) {
    let b = min(start + i, KB - 1u);
    var held: array<Held, TILE_ROWS>;
    for (var m = 0u; m < TILE_ROWS; m++) { held[m] = x_hold((first_row + m) * (KB * 8u) + b * 8u, lane); }
    // Zeroed in words: on lavapipe (Mesa 25.0) a variable without an initialiser keeps the last round's value.
    var total = array<Sides, TILE_ROWS>();
    var sum = array<f32, TILE_ROWS>();
    for (var u = 0u; u < UNITS; u++) {
      let units = load_units(pair_block, b, u, column);
      for (var j = 0u; j < PER_UNIT; j++) {
        let w4 = columns_of(units, j);
        for (var m = 0u; m < TILE_ROWS; m++) {
          let v = x_take(held[m], u * PER_UNIT + j, lane);
          sum[m] += (v.x + v.y) + (v.z + v.w);
          total[m] = add_columns(w4, v, total[m]);
        }
      }
    }
    let affines = load_affines(pair_block, b, column);
    for (var m = 0u; m < TILE_ROWS; m++) {
      acc[m] += select(Sides(0.0), scaled_sides(affines, total[m], sum[m]), start + i < KB);
    }
  }
  let place = (lane.local.y * LANES + lane.local.x) * TILE_ROWS;
  if (SPLIT > 1u) {
    for (var m = 0u; m < TILE_ROWS; m++) { partial[place + m] = acc[m]; }
    workgroupBarrier();
    if (lane.local.y > 0u) { return; }
    for (var m = 0u; m < TILE_ROWS; m++) {
      for (var s = 1u; s < SPLIT; s++) { acc[m] += partial[place + s * LANES * TILE_ROWS + m]; }
    }
  }
  for (var m = 0u; m < TILE_ROWS; m++) { store_sides(first_row + m, PAIR_START + pair_block * 32u + column, acc[m]); }
}
