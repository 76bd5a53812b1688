// A score is what it is.
fn score_of(v: f32) -> f32 { return v; }
