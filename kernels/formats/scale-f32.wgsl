// Scale and bias of an affine group as two f32.
alias Scale = vec2f;
fn affine_of(words: vec2f) -> vec2f { return words; }
