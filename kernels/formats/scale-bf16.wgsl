// Scales and biases of an affine group as two bf16 in a word: [row block, group][row].
@group(1) @binding(1) var<storage, read> w_scale: array<vec4u>;
fn affines_of(group: u32, quad: u32) -> Affines {
  let words = w_scale[group * 8u + quad];
  return Affines(bitcast<vec4f>(words << vec4u(16u)), bitcast<vec4f>(words & vec4u(0xffff0000u)));
}
