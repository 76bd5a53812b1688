// The sums of a row's blocks, b to the sum number b % 8, and those pair by pair, over a workgroup of four or eight
// invocations that is one subgroup: no barrier, which is what costs a CPU adapter most.
struct Lane { @builtin(local_invocation_index) id: u32, }
var<private> own: vec2f;
fn note(b: u32, squares: f32) {
  let isHigh = WG == 4u && b / 4u % 2u == 1u;
  own += vec2f(select(squares, 0.0, isHigh), select(0.0, squares, isHigh));
}
fn across(value: f32) -> f32 {
  let sum = value + subgroupShuffleXor(value, 1u);
  return sum + subgroupShuffleXor(sum, 2u);
}
fn row_total(lane: Lane) -> f32 {
  let low = across(own.x);
  if (WG == 4u) { return low + across(own.y); }
  return low + subgroupShuffleXor(low, 4u);
}
