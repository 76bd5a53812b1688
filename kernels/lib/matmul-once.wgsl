// A workgroup has a tile: QUADS quads an invocation, TILE_ROWS rows. Activations are read where they lie.
fn x_run(first_row: u32, b: u32, r: u32, own: u32) -> vec4f { return x[(first_row + own / 2u) * X_ROW + b * 8u + r * 2u + own % 2u]; }

fn matmul(lane: Lane) {
  const BLOCKS = (KB + SPLIT - 1u) / SPLIT;
  let first_item = first_item_of(lane.group.x, lane);
  var acc: Sums;
  var acc_4: Sums;
  add_blocks(first_item, lane.local.y * BLOCKS, opaque(BLOCKS), &acc, &acc_4, lane);
  keep_sums(&acc, first_item, 0u, lane);
  if (TILE_ROWS > 4u) { keep_sums(&acc_4, first_item, 4u, lane); }
  store_tile(first_item, lane);
}
