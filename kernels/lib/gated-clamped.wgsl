// gpt-oss: (up + 1) * gate * sigmoid(ALPHA * gate), gate at most LIMIT and up within ±LIMIT.
fn gated(v: vec2f) -> f32 {
  let gate = min(v.x, f32(LIMIT));
  let up = clamp(v.y, -f32(LIMIT), f32(LIMIT));
  return (up + 1.0) * gate / (1.0 + exp(-f32(ALPHA) * gate));
}
