// Positions are in the rotation.
fn placed(v: vec4f, position: u32, i: u32) -> vec4f { return v; }
