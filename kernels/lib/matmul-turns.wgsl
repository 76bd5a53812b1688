// Tiles of eight rows. A workgroup is eight invocations that take turns: quads 8 * QUADS at a time, and of those every
// groups.x-th. Activations of a tile are copied to the workgroup's memory once for all turns: lavapipe reads there without a
// look at bounds, a third of the code that a load from storage is. In one go: with a barrier inside the loops it keeps every
// sum in memory.
const GROUP_ITEMS = (ROW_BLOCKS + QUADS - 1u) / QUADS;
// Which turns are a workgroup's, where everybody knows that all read the same: shuffles need to.
var<workgroup> turns: vec2u;
var<workgroup> staged: array<vec4f, KB * TILE_ROWS * 8u>;

// Rows by fours, and of a run of eight columns what eight invocations hold, side by side.
fn x_run(first_row: u32, b: u32, r: u32, own: u32) -> vec4f {
  return staged[((first_row % TILE_ROWS / 4u * KB + b) * 4u + r) * 8u + own];
}

fn stage(lane: Lane) {
  let own = lane.sub & 7u;
  let first_row = lane.group.y * TILE_ROWS + own / 2u;
  let end = opaque(KB * TILE_ROWS);
  for (var n = 0u; n < end; n++) {
    let i = min(n, KB * TILE_ROWS - 1u); // whatever the bound is, nothing is written beyond
    staged[i * 8u + own] = x[(first_row + i / (KB * 4u) * 4u) * X_ROW + i % (KB * 4u) * 2u + own % 2u];
  }
  if (lane.local.x == 0u) { turns = vec2u(lane.group.x, lane.groups.x); }
}

fn matmul(lane: Lane) {
  stage(lane);
  let own = workgroupUniformLoad(&turns);
  for (var group = own.x; group < GROUP_ITEMS; group += own.y) {
    let first_item = first_item_of(group, lane);
    var acc = Sums();
    var acc_4 = Sums();
    add_blocks(first_item, 0u, opaque(KB), &acc, &acc_4, lane);
    keep_sums(&acc, first_item, 0u, lane);
    keep_sums(&acc_4, first_item, 4u, lane);
    store_sums(first_item, lane);
  }
}
