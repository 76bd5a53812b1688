// A block's eight quads meet in the workgroup's memory.
fn neighbour(quad: Quad, j: u32) -> Quad {
  let place = quad.place - quad.place % 8u + j;
  return Quad(partial[place], quad.row, quad.at - quad.at % 8u + j, place, quad.isIn);
}
fn block_of(quad: Quad) -> Block {
  var part: array<f32, 8>;
  for (var j = 0u; j < 8u; j++) { part[j] = square(neighbour(quad, j).v); }
  let squares = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
  var tops = vec4f();
  var sums = vec4f();
  if (IN_EIGHT_BITS == 1u) {
    for (var j = 0u; j < 8u; j++) { tops = max(tops, abs(weighted(neighbour(quad, j)))); }
    let inverse = inverse_of(max(max(tops.x, tops.y), max(tops.z, tops.w)));
    for (var j = 0u; j < 8u; j++) { sums += round(weighted(neighbour(quad, j)) * inverse); }
  }
  return Block(squares, max(max(tops.x, tops.y), max(tops.z, tops.w)), (sums.x + sums.y) + (sums.z + sums.w));
}
fn settle(lane: Lane) {
  workgroupBarrier();
  if (lane.local.y == 0u) { leave_quad(kept(lane)); }
}
