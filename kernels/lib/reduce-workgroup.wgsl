// Sum over the workgroup through shared memory, in a fixed order; every invocation gets it. WG is a power of two.
struct Lane { @builtin(local_invocation_index) id: u32, }
var<workgroup> partial: array<f32, WG>;
fn reduce_add(value: f32, lane: Lane) -> f32 {
  partial[lane.id] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane.id < half) { partial[lane.id] += partial[lane.id + half]; }
  }
  workgroupBarrier();
  return partial[0];
}
