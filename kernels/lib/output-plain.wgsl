// What a product comes to is what it is.
fn output(v: vec2f) -> vec2f { return v; }
