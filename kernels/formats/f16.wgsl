// Weights as f16, two to a word. Binding 0: [pair block][block][row of the pair][word of 8][pair].
@group(1) @binding(0) var<storage, read> w: array<vec4u>;

struct Block { words: array<vec4u, 4>, }

fn load_block(pair_block: u32, b: u32, side: u32, column: u32) -> Block {
  let at = ((pair_block * KB + b) * 2u + side) * 128u + column;
  return Block(array(w[at], w[at + 32u], w[at + 64u], w[at + 96u]));
}

fn weight4(block: Block, j: u32) -> vec4f {
  let word = block.words[j / 2u];
  let pair = select(word.xy, word.zw, (j & 1u) == 1u);
  return vec4f(unpack2x16float(pair.x), unpack2x16float(pair.y));
}
fn scaled(block: Block, total: f32, sum: f32) -> f32 { return total; }
fn value4(block: Block, j: u32) -> vec4f { return weight4(block, j); }
