// Scales and biases of an affine group as two f16 in a word: [row block, group][row].
@group(1) @binding(1) var<storage, read> w_scale: array<vec4u>;
fn affines_of(group: u32, quad: u32) -> Affines {
  let words = w_scale[group * 8u + quad];
  let a = unpack2x16float(words.x);
  let b = unpack2x16float(words.y);
  let c = unpack2x16float(words.z);
  let d = unpack2x16float(words.w);
  return Affines(vec4f(a.x, b.x, c.x, d.x), vec4f(a.y, b.y, c.y, d.y));
}
