// Rows for products that do the rest of an RMS norm (Zhang and Sennrich, 2019): x times the norm's weight, the sum of x^2 of
// each block of 32 columns, as linear-norm.wgsl leaves them, bit for bit; and the factor of the row, 1 / sqrt(mean(x^2) + EPS).
//   x [rows, HIDDEN_BLOCKS * 32] f32, zero past DIM; weight likewise; next: rows of NEXT_ROW words as `leave` lays them
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> next: array<u32>;

fn left(row: u32, at: u32) -> vec4f { return x[row * (HIDDEN_BLOCKS * 8u) + at] * weight[at]; }

// eight: 8, but no constant to a compiler, which unrolls short loops and takes half a second for it.
fn told(row: u32, b: u32, eight: u32) -> Block {
  let start = (row * HIDDEN_BLOCKS + b) * 8u;
  var squares = 0.0;
  for (var i = start; i < start + eight; i += 4u) {
    squares += (square(x[i]) + square(x[i + 1u])) + (square(x[i + 2u]) + square(x[i + 3u]));
  }
  var block = Block(squares, 0.0, 0.0);
  if (IN_EIGHT_BITS == 0u) { return block; }
  var tops = vec4f();
  for (var j = 0u; j < eight; j++) { tops = max(tops, abs(left(row, b * 8u + j))); }
  block.top = max(max(tops.x, tops.y), max(tops.z, tops.w));
  var sums = vec4f();
  for (var j = 0u; j < eight; j++) { sums += round(left(row, b * 8u + j) * inverse_of(block.top)); }
  block.total = (sums.x + sums.y) + (sums.z + sums.w);
  return block;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, lane: Lane) {
  let row = group.x;
  let eight = 8u + select(0u, 4u, x[0].x > 3.0e38);
  for (var b = lane.id; b < HIDDEN_BLOCKS; b += WG) {
    let block = told(row, b, eight);
    note(b, block.squares);
    for (var j = 0u; j < eight; j++) { leave(row, b * 8u + j, left(row, b * 8u + j), block); }
  }
  let total = row_total(lane);
  if (lane.id == 0u) { leave_factor(row, inverseSqrt(total / f32(DIM) + f32(EPS))); }
}
