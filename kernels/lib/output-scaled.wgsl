// A product times FACTOR.
fn output(v: vec2f) -> vec2f { return v * f32(FACTOR); }
