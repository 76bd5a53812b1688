// A quad goes on as two pairs, each with the factor of its row: what is left of an RMS norm, or 1.
fn store_quad(row: u32, item: u32, value: vec4f) {
  let factor = row_factor(row, item % 8u);
  store_pair(row, PAIR_START + item * 2u, value.xy, factor);
  store_pair(row, PAIR_START + item * 2u + 1u, value.zw, factor);
}
