// act(gate) * up
fn gated(v: vec2f) -> f32 { return activate(v.x) * v.y; }
