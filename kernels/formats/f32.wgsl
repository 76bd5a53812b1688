// Weights as f32, 4 to a unit.
fn weight4(unit: vec4u, j: u32) -> vec4f { return bitcast<vec4f>(unit); }
