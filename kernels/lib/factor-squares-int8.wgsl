// As factor-squares-f32.wgsl; the sum of squares of a block lies beside its third word.
fn squares_of(row: u32, b: u32) -> f32 {
  return select(0.0, bitcast<f32>(x[row * X_ROW + b * 8u + 2u].y), b < KB);
}
fn row_factor(row: u32, own: u32) -> f32 {
  var low = vec4f();
  var high = vec4f();
  let end = opaque(KB);
  for (var b = 0u; b < end; b += 8u) {
    low += vec4f(squares_of(row, b), squares_of(row, b + 1u), squares_of(row, b + 2u), squares_of(row, b + 3u));
    high += vec4f(squares_of(row, b + 4u), squares_of(row, b + 5u), squares_of(row, b + 6u), squares_of(row, b + 7u));
  }
  let squares = ((low.x + low.y) + (low.z + low.w)) + ((high.x + high.y) + (high.z + high.w));
  return inverseSqrt(squares / f32(DIM) + f32(EPS));
}
