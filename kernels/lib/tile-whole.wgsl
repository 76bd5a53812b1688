// After the last of `keep_sums`: no sum is split, and each invocation stores its own. Control flow is uniform.
fn store_tile(first_item: u32, lane: Lane) {
  if (TILE > 1u) { store_sums(first_item, lane); }
}
