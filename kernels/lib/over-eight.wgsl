// The sum over eight neighbouring invocations, pair by pair. Control flow is uniform where sums are not split, as here: the
// branch that says otherwise, in matmul-end.wgsl, is for those that are.
@diagnostic(off, subgroup_uniformity)
fn over_eight(value: f32) -> f32 {
  var sum = value + subgroupShuffleXor(value, 1u);
  sum += subgroupShuffleXor(sum, 2u);
  return sum + subgroupShuffleXor(sum, 4u);
}
