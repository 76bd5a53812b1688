// 8-bit weights with a scale and a bias per GROUP columns: w = scale * q + bias (the MLX affine form).
// Binding 0: [pair block][block][row of the pair][word of 16][pair]. Binding 1: [pair block][group][row of the pair][pair].
@group(1) @binding(0) var<storage, read> w: array<vec4u>;
@group(1) @binding(1) var<storage, read> w_scale: array<Scale>;

struct Block { words: array<vec4u, 2>, affine: vec2f, }

fn load_block(pair_block: u32, b: u32, side: u32, column: u32) -> Block {
  let group = ((pair_block * (KB * 32u / GROUP) + b * 32u / GROUP) * 2u + side) * 32u + column;
  let at = ((pair_block * KB + b) * 2u + side) * 64u + column;
  return Block(array(w[at], w[at + 32u]), affine_of(w_scale[group]));
}

fn weight4(block: Block, j: u32) -> vec4f {
  let word = block.words[j / 4u][j & 3u];
  return vec4f(vec4u(word, word >> 8u, word >> 16u, word >> 24u) & vec4u(255u));
}
fn scaled(block: Block, total: f32, sum: f32) -> f32 { return fma(block.affine.x, total, block.affine.y * sum); }
fn value4(block: Block, j: u32) -> vec4f { return fma(vec4f(block.affine.x), weight4(block, j), vec4f(block.affine.y)); }
