// A running softmax begins with the head's sink: a logit that brings no value (Xiao et al. 2023). sinks [HEADS]
// Every octet begins with it as the highest, and one invocation of all counts it.
@group(0) @binding(5) var<storage, read> sinks: array<f32>;
fn first_top(head: u32) -> f32 { return sinks[head]; }
fn first_sum(lane: Lane) -> f32 { return select(0.0, 1.0, lane.local.x == 0u && lane.local.y == 0u); }
