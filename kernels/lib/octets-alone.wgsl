// One octet sees all keys: nothing to add up.
fn whole_of(top: f32, sum: f32, lane: Lane) -> Softmax { return Softmax(top, sum); }
fn factor_of(top: f32, whole: Softmax) -> f32 { return 1.0 / whole.sum; }
fn over_octets(value: vec4f, lane: Lane) -> vec4f { return value; }
