// A product times FACTOR, kept within ±CAP (Gemma Team, 2024); tanh is 1 in f32 where its argument is clamped.
fn output(v: vec2f) -> vec2f { return f32(CAP) * tanh(clamp(v * f32(FACTOR) / f32(CAP), vec2f(-15.0), vec2f(15.0))); }
