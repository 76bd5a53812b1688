// Sum over the workgroup by subgroups, then over their sums; every invocation gets it.
struct Lane {
  @builtin(local_invocation_index) id: u32,
  @builtin(subgroup_invocation_id) sub: u32,
  @builtin(subgroup_size) width: u32,
}
var<workgroup> partial: array<f32, WG>;
fn reduce_add(value: f32, lane: Lane) -> f32 {
  let sum = subgroupAdd(value);
  if (lane.sub == 0u) { partial[lane.id / lane.width] = sum; }
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i * lane.width < WG; i++) { total += partial[i]; }
  return total;
}
