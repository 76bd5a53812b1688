// GELU, tanh form (Hendrycks and Gimpel, 2016); the argument is clamped where tanh is 1 in f32, since exp would overflow.
fn activate(v: f32) -> f32 {
  let t = clamp(0.7978845608028654 * (v + 0.044715 * v * v * v), -15.0, 15.0);
  return 0.5 * v * (1.0 + tanh(t));
}
