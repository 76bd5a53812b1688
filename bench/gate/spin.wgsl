// Halves the distance to 2x in each of LAPS laps: any number of them from 64 on leaves 2x, and takes its time for it.
// Prelude: LAPS.

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let half_way = x[id.x];
  var value = 0f;
  for (var lap = 0u; lap < LAPS; lap++) {
    value = fma(value, 0.5, half_way);
  }
  y[id.x] = value;
}
