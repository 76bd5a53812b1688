// Writes what unit.wgsl and affine.wgsl read, in their layout: all that the quantizing kernel knows of it. Every invocation of
// a workgroup calls these together, one for each row of a block; `kb`: blocks of 32 columns a row.
@group(1) @binding(0) var<storage, read_write> w: array<u32>;
@group(1) @binding(1) var<storage, read_write> w_scale: array<u32>;
var<workgroup> neighbours: array<u32, 32>;

// Word `i` of a row, codes in order from the lowest bits.
fn store_word(kb: u32, block: u32, row: u32, i: u32, word: u32) {
  var own = word;
  if (BITS == 4u) {
    // Neighbouring rows share their words: both lower halves in the first, both upper ones in the second.
    neighbours[row] = word;
    workgroupBarrier();
    let other = neighbours[row ^ 1u];
    workgroupBarrier();
    own = select((word & 0xffffu) | (other << 16u), (other >> 16u) | (word & 0xffff0000u), row % 2u == 1u);
  }
  w[(block * kb * UNITS + i) * 32u + row] = own;
}
// Scale and bias of a row's group as two f16 in a word.
fn store_affine(kb: u32, block: u32, row: u32, g: u32, word: u32) {
  w_scale[(block * (kb * 32u / GROUP) + g) * 32u + row] = word;
}
