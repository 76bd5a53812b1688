// Every format keeps word u of block b of 32 neighbouring rows side by side: [row block][block][word][row].
@group(1) @binding(0) var<storage, read> w: array<vec4u>;

// Word u of block b of a quad: four rows.
fn load_unit(row_block: u32, b: u32, u: u32, quad: u32) -> vec4u {
  return w[((row_block * KB + b) * UNITS + u) * 8u + quad];
}
