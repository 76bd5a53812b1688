// 8-bit weights, 16 to a unit.
fn weight4(unit: vec4u, j: u32) -> vec4f {
  let word = unit[j];
  return vec4f(vec4u(word, word >> 8u, word >> 16u, word >> 24u) & vec4u(255u));
}
