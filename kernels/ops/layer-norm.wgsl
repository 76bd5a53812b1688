// y[r] = (x[source[r]] - mean) / sqrt(variance + EPS) * weight + bias (Ba et al. 2016); one workgroup a row.
//   x, y [rows, STRIDE4 * 4] f32, zero past DIM; weight, bias likewise; source [rows]: which row of x
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> source: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;

// What differs from the mean, nothing past DIM.
fn centred(v: vec4f, mean: f32, i: u32) -> vec4f {
  return select(vec4f(), v - mean, vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(DIM));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, lane: Lane) {
  let origin = source[group.x] * STRIDE4;
  let start = group.x * STRIDE4;
  var sum = 0.0;
  for (var i = lane.id; i < STRIDE4; i += WG) {
    let v = x[origin + i];
    sum += (v.x + v.y) + (v.z + v.w);
  }
  let mean = reduce_add(sum, lane) / f32(DIM);
  var squares = 0.0;
  for (var i = lane.id; i < STRIDE4; i += WG) {
    let v = centred(x[origin + i], mean, i);
    squares += dot(v, v);
  }
  workgroupBarrier(); // everybody has read the mean
  let scale = inverseSqrt(reduce_add(squares, lane) / f32(DIM) + f32(EPS));
  for (var i = lane.id; i < STRIDE4; i += WG) {
    y[start + i] = fma(centred(x[origin + i], mean, i) * scale, weight[i], bias[i]);
  }
}
