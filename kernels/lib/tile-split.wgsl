// After the last of `keep_sums`: those of the SPLIT runs meet in the workgroup's memory.
fn store_tile(first_item: u32, lane: Lane) {
  workgroupBarrier();
  if (lane.local.y == 0u) { store_sums(first_item, lane); }
}
