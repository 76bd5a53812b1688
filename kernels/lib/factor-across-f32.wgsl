// As factor-squares-f32.wgsl, between eight invocations: each adds every eighth sum, from its own place on.
fn row_factor(row: u32, own: u32) -> f32 {
  var squares = 0.0;
  let end = opaque(X_ROW);
  for (var i = KB * 8u + 1u; i < end; i += 2u) { squares += x[row * X_ROW + i + own / 4u][own % 4u]; }
  return inverseSqrt(over_eight(squares) / f32(DIM) + f32(EPS));
}
