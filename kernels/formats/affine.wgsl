// A scale and a bias per GROUP columns: w = scale * q + bias (the MLX affine form).
struct Affines { scale: vec4f, bias: vec4f, }
fn load_affines(row_block: u32, b: u32, quad: u32) -> Affines {
  return affines_of(row_block * (KB * 32u / GROUP) + b * 32u / GROUP, quad);
}
fn scaled(affines: Affines, total: vec4f, sum: f32) -> vec4f { return fma(affines.scale, total, affines.bias * sum); }
