// Where a product's sums go, however they were made: those of the SPLIT runs are added in order, then `store_quad` gets them
// by quads of weight rows. An invocation owns QUADS quads (items), LANES apart, and TILE_ROWS activation rows.
const TILE = QUADS * TILE_ROWS;
var<workgroup> partial: array<vec4f, SPLIT * LANES * TILE>;

fn first_item_of(group: u32, lane: Lane) -> u32 { return group * (LANES * QUADS) + lane_of(lane); }
fn row_block_of(item: u32) -> u32 { return min(item / 8u, ROW_BLOCKS - 1u); }

// Of PART rows of the tile, quad by quad.
const SUMS = QUADS * PART;

// Once for each part of a tile, from row `first` of it on.
fn keep_sums(acc: ptr<function, Sums>, first_item: u32, first: u32, lane: Lane) {
  if (SPLIT * TILE == 1u) {
    store_quad(lane.group.y, first_item, sum_at(acc, 0u));
    return;
  }
  let place = (lane.local.y * LANES + lane_of(lane)) * TILE + first;
  for (var q = 0u; q < QUADS; q++) {
    for (var m = 0u; m < PART; m++) { partial[place + q * TILE_ROWS + m] = sum_at(acc, q * PART + m); }
  }
}

// What follows a product is long, and compiled once where it is not unrolled.
fn store_sums(first_item: u32, lane: Lane) {
  let first_row = lane.group.y * TILE_ROWS;
  let place = lane_of(lane) * TILE;
  let end = opaque(TILE);
  for (var t = 0u; t < end; t++) {
    var value = partial[place + t];
    for (var s = 1u; s < SPLIT; s++) { value += partial[place + s * LANES * TILE + t]; }
    store_quad(first_row + t % TILE_ROWS, first_item + t / TILE_ROWS * LANES, value);
  }
}
