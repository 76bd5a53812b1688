// Scale and bias of an affine group as two bf16 in a word.
alias Scale = u32;
fn affine_of(word: u32) -> vec2f { return vec2f(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u)); }
