// Eight invocations, which are one subgroup, share a block, a quad of columns each: nothing is loaded twice, and loads are most
// of what a CPU adapter does here.
struct Quad { v: vec4f, left: vec4f, }
fn weighted(quad: Quad) -> vec4f { return quad.left; }

fn leave_row(row: u32, lane: Lane) {
  // No constant to a compiler, which unrolls short loops and takes half a second for it.
  let end = HIDDEN_BLOCKS + select(0u, 1u, x[0].x > 3.0e38);
  for (var n = 0u; n < end; n++) {
    let b = min(n, HIDDEN_BLOCKS - 1u);
    let at = b * 8u + lane.id;
    let v = x_at(row, at);
    let quad = Quad(v, v * weight[at]);
    let block = block_of(quad);
    note(b, select(0.0, block.squares, lane.id == b % 8u));
    leave(row, at, quad.left, block);
  }
}
