// Sums that a loop carries: SUMS vectors, number by number, since lavapipe (Mesa 25.0) keeps a vector that leaves a loop twice, as
// a vector and as its numbers, and blends and stores both in each round.
alias Sums = array<f32, 4u * SUMS>;
fn sum_at(sums: ptr<function, Sums>, i: u32) -> vec4f {
  return vec4f(sums[4u * i], sums[4u * i + 1u], sums[4u * i + 2u], sums[4u * i + 3u]);
}
fn set_sum(sums: ptr<function, Sums>, i: u32, value: vec4f) {
  for (var n = 0u; n < 4u; n++) { sums[4u * i + n] = value[n]; }
}
