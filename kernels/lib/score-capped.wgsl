// A score, kept within ±CAP (Gemma Team, 2024); tanh is 1 in f32 where its argument is clamped.
fn score_of(v: f32) -> f32 { return f32(CAP) * tanh(clamp(v / f32(CAP), -15.0, 15.0)); }
