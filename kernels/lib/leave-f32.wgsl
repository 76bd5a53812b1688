// A row: its columns, four words of which the norm's factor has the first, the sums of squares of its blocks.
const IN_EIGHT_BITS = 0u;
const SQUARES = HIDDEN_BLOCKS * 32u + 4u;
fn leave(row: u32, at: u32, value: vec4f, block: Block) {
  let words = bitcast<vec4u>(value);
  for (var c = 0u; c < 4u; c++) { next[row * NEXT_ROW + at * 4u + c] = words[c]; }
  // Who adds the sums takes them by eights: behind the last one lie zeros.
  let place = at % 8u;
  let to = SQUARES + at / 8u + place;
  let isBehind = at / 8u + 1u == HIDDEN_BLOCKS && to < NEXT_ROW;
  if (place == 0u || isBehind) { next[row * NEXT_ROW + to] = bitcast<u32>(select(0.0, block.squares, place == 0u)); }
}
fn leave_factor(row: u32, factor: f32) { next[row * NEXT_ROW + HIDDEN_BLOCKS * 32u] = bitcast<u32>(factor); }
