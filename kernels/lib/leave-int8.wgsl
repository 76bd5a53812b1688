// A row in eight bits: eight words of four columns a block, each with a word beside it. Beside the first lies the block's
// scale, beside the second scale * sum, beside the third the sum of squares; beside the row's fourth the norm's factor.
const IN_EIGHT_BITS = 1u;
fn leave(row: u32, at: u32, value: vec4f, block: Block) {
  let bytes = vec4u(vec4i(round(value * inverse_of(block.top)))) & vec4u(255u);
  let word = row * NEXT_ROW + at * 2u;
  next[word] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
  let scale = block.top / 127.0;
  let place = at % 8u;
  if (place > 2u) { return; }
  let beside = select(select(block.squares, scale * block.total, place == 1u), scale, place == 0u);
  next[word + 1u] = bitcast<u32>(beside);
}
fn leave_factor(row: u32, factor: f32) { next[row * NEXT_ROW + 7u] = bitcast<u32>(factor); }
