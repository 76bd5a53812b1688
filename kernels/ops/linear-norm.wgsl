// y[m, n] += output(dot(W[n], x[m]) + bias[n]), the residual stream, and what its RMS norm (Zhang and Sennrich, 2019) takes
// besides a factor of the row: y times the norm's weight, and the sum of y^2 of each block of 32 columns. In tiles of one row.
//   x [rows, columns padded to 32]; bias [pairs]; y [rows, HIDDEN_BLOCKS * 32] f32, zero from Y_ROWS on; weight likewise
//   next: rows of NEXT_ROW words as `leave` lays them. A matrix split by rows is split between blocks of 32.
@group(0) @binding(1) var<storage, read> bias: array<vec2f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> next: array<u32>;

// Four columns of the residual: `at` among the row's, `place` in `partial`, which nobody else reads any more.
struct Quad { v: vec4f, row: u32, at: u32, place: u32, isIn: bool, }

// A workgroup may reach past the last block.
fn quad_of(row: u32, item: u32) -> Quad {
  let place = item % LANES;
  return Quad(partial[place], row, PAIR_START / 2u + item, place, item / 8u < ROW_BLOCKS);
}
fn weighted(quad: Quad) -> vec4f { return quad.v * weight[quad.at]; }

fn store_quad(row: u32, item: u32, value: vec4f) {
  let quad = quad_of(row, item);
  let pair = PAIR_START + item * 2u;
  let columns = vec4u(pair * 2u) + vec4u(0u, 1u, 2u, 3u);
  let at = row * (HIDDEN_BLOCKS * 8u) + quad.at;
  let sum = y[at] + vec4f(output(value.xy + bias[pair]), output(value.zw + bias[pair + 1u]));
  let v = select(vec4f(), sum, columns < vec4u(Y_ROWS));
  if (quad.isIn) { y[at] = v; }
  partial[quad.place] = v;
}

fn kept(lane: Lane) -> Quad { return quad_of(lane.group.y, first_item_of(lane.group.x, lane)); }
fn leave_quad(quad: Quad) {
  let block = block_of(quad);
  if (quad.isIn) { leave(quad.row, quad.at, weighted(quad), block); }
}

@compute @workgroup_size(LANES, SPLIT)
fn main(lane: Lane) {
  matmul(lane);
  settle(lane);
}
