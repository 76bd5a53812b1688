// A scale and a bias per GROUP columns: w = scale * q + bias (the MLX affine form), [pair block][group][row of the pair][pair].
@group(1) @binding(1) var<storage, read> w_scale: array<Scale>;

fn load_affine(pair_block: u32, b: u32, side: u32, column: u32) -> vec2f {
  return affine_of(w_scale[((pair_block * (KB * 32u / GROUP) + b * 32u / GROUP) * 2u + side) * 32u + column]);
}
fn scaled(affine: vec2f, total: f32, sum: f32) -> f32 { return fma(affine.x, total, affine.y * sum); }
