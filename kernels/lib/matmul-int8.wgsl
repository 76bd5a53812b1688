// The product of matmul.wgsl with activations of eight bits: sums of a block of 32 columns are integers, exact in any order;
// blocks are scaled and added in f32, in the order of matmul.wgsl.
//   x [rows, KB, 8] (four columns, beside), see the fragment that reads it; W through its format, affine
const PART = TILE_ROWS;
fn matmul(lane: Lane) {
  let item = first_item_of(lane.group.x, lane);
  let row_block = row_block_of(item);
  let first_row = lane.group.y * TILE_ROWS;
  const BLOCKS = (KB + SPLIT - 1u) / SPLIT;
  let start = lane.local.y * BLOCKS;
  var acc: Sums;
  let end = opaque(BLOCKS);
  for (var i = 0u; i < end; i++) {
    let b = min(start + i, KB - 1u);
    var held: array<Held, TILE_ROWS>;
    for (var m = 0u; m < TILE_ROWS; m++) { held[m] = x_hold((first_row + m) * X_ROW + b * 8u, lane); }
    // Zeroed in words: on lavapipe (Mesa 25.0) a variable without an initialiser keeps the last round's value.
    var total = array<vec4i, TILE_ROWS>();
    for (var half = 0u; half < 2u; half++) {
      var part = array<Part, TILE_ROWS>();
      for (var r = half * 2u; r < half * 2u + 2u; r++) {
        let run = load_run(row_block, b, r, item % 8u);
        for (var m = 0u; m < TILE_ROWS; m++) {
          part[m] = run_add(part[m], run, x_take(held[m], r * 2u, lane), x_take(held[m], r * 2u + 1u, lane));
        }
      }
      for (var m = 0u; m < TILE_ROWS; m++) { total[m] += part_sum(part[m]); }
    }
    let affines = load_affines(row_block, b, item % 8u);
    for (var m = 0u; m < TILE_ROWS; m++) {
      let scales = x_scales(held[m], lane);
      let value = fma(affines.scale * scales.x, vec4f(total[m]), affines.bias * scales.y);
      set_sum(&acc, m, sum_at(&acc, m) + select(vec4f(0.0), value, start + i < KB));
    }
  }
  keep_sums(&acc, item, 0u, lane);
  store_tile(item, lane);
}
