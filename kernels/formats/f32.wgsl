// Weights as f32. Binding 0: [pair block][block][row of the pair][word of 4][pair].
@group(1) @binding(0) var<storage, read> w: array<vec4f>;

struct Block { words: array<vec4f, 8>, }

fn load_block(pair_block: u32, b: u32, side: u32, column: u32) -> Block {
  let at = ((pair_block * KB + b) * 2u + side) * 256u + column;
  return Block(array(w[at], w[at + 32u], w[at + 64u], w[at + 96u],
    w[at + 128u], w[at + 160u], w[at + 192u], w[at + 224u]));
}

fn weight4(block: Block, j: u32) -> vec4f { return block.words[j]; }
fn scaled(block: Block, total: f32, sum: f32) -> f32 { return total; }
fn value4(block: Block, j: u32) -> vec4f { return block.words[j]; }
