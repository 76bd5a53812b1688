// y[r] = x[source[r]] * weight / sqrt(mean(x^2) + EPS) (Zhang and Sennrich, 2019); one workgroup a row.
// Added to what y holds when ADD is 1.
//   x, y [rows, STRIDE4 * 4] f32, zero past DIM; weight likewise; source [rows]: which row of x
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, lane: Lane) {
  let origin = source[group.x] * STRIDE4;
  let start = group.x * STRIDE4;
  var sum = 0.0;
  for (var i = lane.id; i < STRIDE4; i += WG) {
    let v = x[origin + i];
    sum += dot(v, v);
  }
  let scale = inverseSqrt(reduce_add(sum, lane) / f32(DIM) + f32(EPS));
  for (var i = lane.id; i < STRIDE4; i += WG) {
    var v = x[origin + i] * scale * weight[i];
    if (ADD == 1u) { v += y[start + i]; }
    y[start + i] = v;
  }
}
