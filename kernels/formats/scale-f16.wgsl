// Scale and bias of an affine group as two f16 in a word.
alias Scale = u32;
fn affine_of(word: u32) -> vec2f { return unpack2x16float(word); }
