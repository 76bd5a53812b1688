// Activations read once per eight invocations and handed round by shuffles: of one row a block of 32 columns at once, of four
// rows a run of eight columns, two quads each. Loads are long code on a CPU adapter, and this is the shortest for each.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
struct Lane {
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(subgroup_invocation_id) sub: u32,
}
// Of eight the place in the subgroup says as much, and costs a CPU adapter no divisions.
fn lane_of(lane: Lane) -> u32 { return select(lane.local.x, lane.sub & 7u, LANES == 8u); }
alias Held = vec4f;
fn x_hold(first_row: u32, b: u32, r: u32, lane: Lane) -> Held {
  let own = lane.sub & 7u;
  if (PART == 1u) { return x[first_row * X_ROW + b * 8u + own]; }
  return x_run(first_row, b, r, own);
}
// Where a quad is held: its columns come one by one, as they are needed.
alias Taken = u32;
fn x_take(held: Held, m: u32, r: u32, h: u32, lane: Lane) -> Taken {
  return (lane.sub & ~7u) + select(m, r, PART == 1u) * 2u + h;
}
fn x_of(taken: Taken, held: Held, c: u32) -> f32 { return subgroupShuffle(held[c], taken); }

// The sum of a row's columns in a block, those of even quads and of odd ones: each invocation adds up what it holds.
alias ColumnSum = f32;
fn x_sum_held(sum: ptr<function, ColumnSum>, held: Held) { *sum += (held.x + held.y) + (held.z + held.w); }
fn x_sum_taken(sum: ptr<function, ColumnSum>, m: u32, h: u32, taken: Taken) {}
fn x_sum_of(sum: ColumnSum, m: u32, lane: Lane) -> f32 {
  let first = (lane.sub & ~7u) + m * 2u;
  var even = subgroupShuffle(sum, first);
  var odd = subgroupShuffle(sum, first + 1u);
  if (PART == 1u) {
    for (var i = 2u; i < 8u; i += 2u) {
      even += subgroupShuffle(sum, first + i);
      odd += subgroupShuffle(sum, first + i + 1u);
    }
  }
  return even + odd;
}
// The same number, but no constant to a compiler, which unrolls short loops whole and takes seconds for it; uniform, since
// shuffles need that.
fn opaque(bound: u32) -> u32 { return bound + select(0u, 1u, x[0].x > 3.0e38); }
