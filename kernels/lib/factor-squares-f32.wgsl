// Rows come times the weights of an RMS norm (Zhang and Sennrich, 2019), and behind them lie the sums of squares of their
// blocks, padded with zeros: 1 / sqrt(mean + EPS) is left of the norm. Added as row-total-*.wgsl adds them.
fn row_factor(row: u32, own: u32) -> f32 {
  var low = vec4f();
  var high = vec4f();
  let end = opaque(X_ROW);
  for (var i = KB * 8u + 1u; i < end; i += 2u) {
    low += x[row * X_ROW + i];
    high += x[row * X_ROW + i + 1u];
  }
  let squares = ((low.x + low.y) + (low.z + low.w)) + ((high.x + high.y) + (high.z + high.w));
  return inverseSqrt(squares / f32(DIM) + f32(EPS));
}
