// An invocation tells of a block by itself.
fn left(row: u32, at: u32) -> vec4f { return x_at(row, at) * weight[at]; }

// eight: 8, but no constant to a compiler, which unrolls short loops and takes half a second for it.
fn told(row: u32, b: u32, eight: u32) -> Block {
  let start = (row * HIDDEN_BLOCKS + b) * 8u;
  var squares = 0.0;
  for (var i = start; i < start + eight; i += 4u) {
    squares += (square(x[i]) + square(x[i + 1u])) + (square(x[i + 2u]) + square(x[i + 3u]));
  }
  var block = Block(squares, 0.0, 0.0);
  if (IN_EIGHT_BITS == 0u) { return block; }
  var tops = vec4f();
  for (var j = 0u; j < eight; j++) { tops = max(tops, abs(left(row, b * 8u + j))); }
  block.top = max(max(tops.x, tops.y), max(tops.z, tops.w));
  var sums = vec4f();
  for (var j = 0u; j < eight; j++) { sums += round(left(row, b * 8u + j) * inverse_of(block.top)); }
  block.total = (sums.x + sums.y) + (sums.z + sums.w);
  return block;
}

fn leave_row(row: u32, lane: Lane) {
  let eight = 8u + select(0u, 4u, x[0].x > 3.0e38);
  for (var b = lane.id; b < HIDDEN_BLOCKS; b += WG) {
    let block = told(row, b, eight);
    note(b, block.squares);
    for (var j = 0u; j < eight; j++) { leave(row, b * 8u + j, left(row, b * 8u + j), block); }
  }
}
