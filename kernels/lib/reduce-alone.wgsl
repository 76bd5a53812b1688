// Sum over a workgroup that is one subgroup: no barrier, which is what costs a CPU adapter most.
struct Lane {
  @builtin(local_invocation_index) id: u32,
}
fn reduce_add(value: f32, lane: Lane) -> f32 { return subgroupAdd(value); }
