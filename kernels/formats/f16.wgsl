// Weights as f16.
fn rows_at(run: Run, j: u32) -> vec4f {
  let words = words_at(run, j);
  let odd = (j & 1u) == 1u;
  let a = unpack2x16float(words.x);
  let b = unpack2x16float(words.y);
  let c = unpack2x16float(words.z);
  let d = unpack2x16float(words.w);
  return select(vec4f(a.x, b.x, c.x, d.x), vec4f(a.y, b.y, c.y, d.y), odd);
}
