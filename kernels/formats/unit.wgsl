// Every format keeps its weights in units of 16 bytes: [pair block][block][row of the pair][unit][pair].
@group(1) @binding(0) var<storage, read> w: array<vec4u>;
const PER_UNIT = 8u / UNITS; // runs of four columns a unit holds

fn load_unit(pair_block: u32, b: u32, side: u32, u: u32, column: u32) -> vec4u {
  return w[(((pair_block * KB + b) * 2u + side) * UNITS + u) * 32u + column];
}
