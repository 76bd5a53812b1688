// As factor-across-f32.wgsl; the sum of squares of a block lies beside its third word.
fn row_factor(row: u32, own: u32) -> f32 {
  var squares = 0.0;
  let end = opaque(KB);
  for (var b = 0u; b < end; b += 8u) {
    squares += select(0.0, bitcast<f32>(x[row * X_ROW + (b + own) * 8u + 2u].y), b + own < KB);
  }
  return inverseSqrt(over_eight(squares) / f32(DIM) + f32(EPS));
}
