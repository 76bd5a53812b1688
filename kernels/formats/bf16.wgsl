// Weights as bf16, 8 to a unit.
fn weight4(unit: vec4u, j: u32) -> vec4f {
  let pair = select(unit.xy, unit.zw, j == 1u);
  return vec4f(bitcast<f32>(pair.x << 16u), bitcast<f32>(pair.x & 0xffff0000u),
    bitcast<f32>(pair.y << 16u), bitcast<f32>(pair.y & 0xffff0000u));
}
