// Weights as bf16: the upper half of an f32.
fn rows_at(run: Run, j: u32) -> vec4f {
  let words = words_at(run, j);
  return bitcast<vec4f>(select(words << vec4u(16u), words & vec4u(0xffff0000u), (j & 1u) == 1u));
}
