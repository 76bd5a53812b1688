// The product every linear layer shares: for each quad of weight rows and each activation row m,
//   (y[m, n], …, y[m, n + 3]) = (dot(W[n], x[m]), …, dot(W[n + 3], x[m])), stored as matmul-end.wgsl says.
//   x [rows, X_ROW * 4] f32, of which KB * 32 columns, padded with zeros; W through its format.
// The columns are cut into SPLIT runs, added in order, and inside a run summed block by block: the same order for every
// tile, so an answer does not depend on the batch. Every product that is added is an explicit fma, so that no compiler may
// round it one way here and another there.
// A tile's rows are added up in parts of up to four, each in variables of its own: compilers keep no larger arrays in registers.

// Rows whose activations are held together; of one row a block at once, of four a run.
const PART = min(TILE_ROWS, 4u);

// Quad by quad: its sums stay in registers, and shuffling again for the next costs less than keeping what came.
fn add_run(runs: ptr<function, array<Run, QUADS>>, r: u32, held: Held, total: ptr<function, Sums>, sum: ptr<function, ColumnSum>, lane: Lane) {
  for (var q = 0u; q < QUADS; q++) {
    for (var h = 0u; h < 2u; h++) {
      var taken: array<Taken, PART>;
      for (var m = 0u; m < PART; m++) {
        taken[m] = x_take(held, m, r, h, lane);
        if (q == 0u) { x_sum_taken(sum, m, h, taken[m]); }
      }
      for (var c = 0u; c < 4u; c++) {
        let rows = rows_at((*runs)[q], h * 4u + c);
        for (var m = 0u; m < PART; m++) {
          set_sum(total, q * PART + m, fma(rows, vec4f(x_of(taken[m], held, c)), sum_at(total, q * PART + m)));
        }
      }
    }
  }
}

fn add_block(affines: Affines, q: u32, total: ptr<function, Sums>, sum: ColumnSum, acc: ptr<function, Sums>, isIn: bool, lane: Lane) {
  for (var m = 0u; m < PART; m++) {
    let value = scaled(affines, sum_at(total, q * PART + m), x_sum_of(sum, m, lane));
    set_sum(acc, q * PART + m, sum_at(acc, q * PART + m) + select(vec4f(0.0), value, isIn));
  }
}

// Adds `count` blocks from `start` on: `acc` those of rows 0 to 3 of the tile, `acc_4`, as all that is called so, of rows 4 to 7.
fn add_blocks(first_item: u32, start: u32, count: u32, acc: ptr<function, Sums>, acc_4: ptr<function, Sums>, lane: Lane) {
  let row = lane.group.y * TILE_ROWS;
  // Sixteen loads and more at once do not fit the registers of a CPU adapter.
  let end = select(4u, opaque(4u), UNITS > 8u && TILE_ROWS == 1u);
  for (var i = 0u; i < count; i++) {
    let b = min(start + i, KB - 1u);
    let isIn = SPLIT == 1u || start + i < KB;
    // Zeroed in words: on lavapipe (Mesa 25.0) a variable without an initialiser keeps the last round's value.
    var total = Sums();
    var total_4 = Sums();
    var sum = ColumnSum();
    var sum_4 = ColumnSum();
    var held = Held();
    if (PART == 1u) {
      held = x_hold(row, b, 0u, lane);
      x_sum_held(&sum, held);
    }
    for (var r = 0u; r < end; r++) {
      var runs: array<Run, QUADS>;
      for (var q = 0u; q < QUADS; q++) {
        let item = first_item + q * LANES;
        runs[q] = load_run(row_block_of(item), b, r, item % 8u);
      }
      if (PART > 1u) {
        held = x_hold(row, b, r, lane);
        x_sum_held(&sum, held);
      }
      add_run(&runs, r, held, &total, &sum, lane);
      if (TILE_ROWS > 4u) {
        let held_4 = x_hold(row + 4u, b, r, lane);
        x_sum_held(&sum_4, held_4);
        add_run(&runs, r, held_4, &total_4, &sum_4, lane);
      }
    }
    for (var q = 0u; q < QUADS; q++) {
      let item = first_item + q * LANES;
      let affines = load_affines(row_block_of(item), b, item % 8u);
      add_block(affines, q, &total, sum, acc, isIn, lane);
      if (TILE_ROWS > 4u) { add_block(affines, q, &total_4, sum_4, acc_4, isIn, lane); }
    }
  }
}
