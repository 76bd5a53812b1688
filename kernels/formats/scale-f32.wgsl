// Scales and biases of an affine group as f32: [row block, group][scales, biases][row].
@group(1) @binding(1) var<storage, read> w_scale: array<vec4f>;
fn affines_of(group: u32, quad: u32) -> Affines {
  return Affines(w_scale[group * 16u + quad], w_scale[group * 16u + 8u + quad]);
}
