// Eight neighbouring invocations exchange values by subgroup shuffles; nothing is kept in between.
struct Lane {
  @builtin(local_invocation_id) local: vec3u,
  @builtin(subgroup_invocation_id) sub: u32,
}
fn give(index: u32, value: f32, lane: Lane) {}
fn take(index: u32, value: f32, giver: u32, lane: Lane) -> f32 { return subgroupShuffle(value, (lane.sub & ~7u) + giver); }
fn give4(index: u32, value: vec4f, lane: Lane) {}
fn take4(index: u32, value: vec4f, giver: u32, lane: Lane) -> vec4f { return subgroupShuffle(value, (lane.sub & ~7u) + giver); }
fn settle() {}
fn octet_max(index: u32, value: f32, lane: Lane) -> f32 {
  var top = max(value, subgroupShuffleXor(value, 1u));
  top = max(top, subgroupShuffleXor(top, 2u));
  return max(top, subgroupShuffleXor(top, 4u));
}
fn octet_add(index: u32, value: f32, lane: Lane) -> f32 {
  var sum = value + subgroupShuffleXor(value, 1u);
  sum = sum + subgroupShuffleXor(sum, 2u);
  return sum + subgroupShuffleXor(sum, 4u);
}
