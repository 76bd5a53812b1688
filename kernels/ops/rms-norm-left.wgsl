// Rows for products that do the rest of an RMS norm (Zhang and Sennrich, 2019): x times the norm's weight, the sum of x^2 of
// each block of 32 columns, as linear-norm.wgsl leaves them, bit for bit; and the factor of the row, 1 / sqrt(mean(x^2) + EPS).
//   x [rows, HIDDEN_BLOCKS * 32] f32, zero past DIM; weight likewise; next: rows of NEXT_ROW words as `leave` lays them
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> next: array<u32>;

fn x_at(row: u32, at: u32) -> vec4f { return x[row * (HIDDEN_BLOCKS * 8u) + at]; }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, lane: Lane) {
  let row = group.x;
  leave_row(row, lane);
  let total = row_total(lane);
  if (lane.id == 0u) { leave_factor(row, inverseSqrt(total / f32(DIM) + f32(EPS))); }
}
