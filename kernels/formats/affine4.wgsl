// 4-bit weights, 32 nibbles to a unit.
fn weight4(unit: vec4u, j: u32) -> vec4f {
  let word = unit[j / 2u] >> ((j & 1u) * 16u);
  return vec4f(vec4u(word, word >> 4u, word >> 8u, word >> 12u) & vec4u(15u));
}
