// Weights as f16, 8 to a unit.
fn weight4(unit: vec4u, j: u32) -> vec4f {
  let pair = select(unit.xy, unit.zw, j == 1u);
  return vec4f(unpack2x16float(pair.x), unpack2x16float(pair.y));
}
