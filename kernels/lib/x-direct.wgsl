// Activations of a block of 32 columns, read by every invocation for itself.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
struct Lane {
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
}
fn lane_of(lane: Lane) -> u32 { return lane.local.x; }
// Where the block of the first of PART rows begins.
alias Held = u32;
fn x_hold(first_row: u32, b: u32, r: u32, lane: Lane) -> Held { return first_row * X_ROW + b * 8u; }
alias Taken = vec4f;
fn x_take(held: Held, m: u32, r: u32, h: u32, lane: Lane) -> Taken { return x[held + m * X_ROW + r * 2u + h]; }
fn x_of(taken: Taken, held: Held, c: u32) -> f32 { return taken[c]; }

// The sum of a row's columns in a block: those of even quads, and of odd ones.
alias ColumnSum = array<vec2f, PART>;
fn x_sum_held(sum: ptr<function, ColumnSum>, held: Held) {}
fn x_sum_taken(sum: ptr<function, ColumnSum>, m: u32, h: u32, v: Taken) { (*sum)[m][h] += (v.x + v.y) + (v.z + v.w); }
fn x_sum_of(sum: ColumnSum, m: u32, lane: Lane) -> f32 { return sum[m].x + sum[m].y; }
// The same number, but no constant to a compiler, which unrolls short loops whole and takes seconds for it; uniform, since
// shuffles need that.
fn opaque(bound: u32) -> u32 { return bound + select(0u, 1u, x[0].x > 3.0e38); }
