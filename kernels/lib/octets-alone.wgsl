// One octet sees all keys: nothing to add up.
fn factor_of(top: f32, sum: f32, lane: Lane) -> f32 { return 1.0 / sum; }
fn over_octets(value: vec4f, lane: Lane) -> vec4f { return value; }
