// A product through the activation of a plain MLP.
fn output(v: vec2f) -> vec2f { return vec2f(activate(v.x), activate(v.y)); }
