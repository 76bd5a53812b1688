// y[m, i] = act(dot(Wg[i], x[m]) + bias.x) * (dot(Wu[i], x[m]) + bias.y): the gated half of an MLP. Row pairs are (gate i, up i).
//   x [rows, columns padded to 32]; bias [pairs]; y [rows, Y_STRIDE] f32
@group(0) @binding(1) var<storage, read> bias: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn store_pair(row: u32, pair: u32, value: vec2f, factor: f32) {
  let at = row * Y_STRIDE + pair;
  if (pair >= PAIR_END || at >= arrayLength(&y)) { return; } // a tile may reach past the last row
  let both = fma(value, vec2f(factor), bias[pair]);
  y[at] = activate(both.x) * both.y;
}

@compute @workgroup_size(LANES, SPLIT)
fn main(lane: Lane) { matmul(lane); }
