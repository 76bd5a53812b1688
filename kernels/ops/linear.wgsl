// y[m, n] = output(dot(W[n], x[m]) + bias[n]), plus what y held when ADD is 1 (the residual stream).
//   x [rows, columns padded to 32]; bias [pairs]; y [rows, Y_STRIDE] f32
@group(0) @binding(1) var<storage, read> bias: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn store_pair(row: u32, pair: u32, value: vec2f, factor: f32) {
  let at = row * Y_STRIDE + pair * 2u;
  if (pair >= PAIR_END || at >= arrayLength(&y)) { return; } // a tile may reach past the last row
  let sum = output(fma(value, vec2f(factor), bias[pair]));
  y[at] = select(sum.x, y[at] + sum.x, ADD == 1u);
  if (pair * 2u + 1u < Y_ROWS) { y[at + 1u] = select(sum.y, y[at + 1u] + sum.y, ADD == 1u); }
}

@compute @workgroup_size(LANES, SPLIT)
fn main(lane: Lane) { matmul(lane); }
