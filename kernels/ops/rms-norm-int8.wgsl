// The norm of rms-norm.wgsl, left in eight bits for products over integers: quantized once, read by all of them.
//   x [rows, KB * 32] f32, zero past DIM; weight likewise; source [rows]: which row of x
//   y [rows, KB, 8] (four columns, beside): beside the first lies the block's scale, beside the second scale * sum
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4u>;

fn packed(q: vec4f) -> u32 {
  let bytes = vec4u(vec4i(q)) & vec4u(255u);
  return bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, lane: Lane) {
  let origin = source[group.x] * KB * 8u;
  var sum = 0.0;
  for (var i = lane.id; i < KB * 8u; i += WG) {
    let v = x[origin + i];
    sum += dot(v, v);
  }
  let factor = inverseSqrt(reduce_add(sum, lane) / f32(DIM) + f32(EPS));
  for (var b = lane.id; b < KB; b += WG) {
    var values: array<vec4f, 8>;
    var tops = vec4f();
    for (var j = 0u; j < 8u; j++) {
      values[j] = x[origin + b * 8u + j] * factor * weight[b * 8u + j];
      tops = max(tops, abs(values[j]));
    }
    let top = max(max(tops.x, tops.y), max(tops.z, tops.w));
    let scale = top / 127.0;
    let inverse = select(127.0 / top, 0.0, top < 1.0e-30);
    var total = vec4f();
    var words: array<u32, 8>;
    for (var j = 0u; j < 8u; j++) {
      let q = round(values[j] * inverse);
      total += q;
      words[j] = packed(q);
    }
    let sums = scale * ((total.x + total.y) + (total.z + total.w));
    let at = (group.x * KB + b) * 4u;
    y[at] = vec4u(words[0], bitcast<u32>(scale), words[1], bitcast<u32>(sums));
    for (var j = 1u; j < 4u; j++) { y[at + j] = vec4u(words[j * 2u], 0u, words[j * 2u + 1u], 0u); }
  }
}
