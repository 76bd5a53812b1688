// A block's eight quads lie with eight neighbouring invocations, which exchange by shuffles.
fn block_of(quad: Quad) -> Block {
  var block = Block(over_eight(square(quad.v)), 0.0, 0.0);
  if (IN_EIGHT_BITS == 1u) {
    let own = weighted(quad);
    var top = max(max(abs(own.x), abs(own.y)), max(abs(own.z), abs(own.w)));
    top = max(top, subgroupShuffleXor(top, 1u));
    top = max(top, subgroupShuffleXor(top, 2u));
    block.top = max(top, subgroupShuffleXor(top, 4u));
    let q = round(own * inverse_of(block.top));
    block.total = over_eight((q.x + q.y) + (q.z + q.w));
  }
  return block;
}
