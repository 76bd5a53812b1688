// Four pairs of a head's output, at dimensions i and i + HALF of y [rows, Y_STRIDE], where HALF is no multiple of four.
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
fn store_chunk(row: u32, head: u32, chunk: u32, low: vec4f, high: vec4f) {
  let at = row * Y_STRIDE + head * 2u * HALF;
  let pairs = array(low.xy, low.zw, high.xy, high.zw);
  for (var i = 0u; i < 4u; i++) {
    let dim = chunk * 4u + i;
    if (dim >= HALF) { break; }
    y[at + dim] = pairs[i].x;
    y[at + HALF + dim] = pairs[i].y;
  }
}
fn load_chunk(row: u32, head: u32, chunk: u32) -> array<vec4f, 2> {
  let at = row * Y_STRIDE + head * 2u * HALF;
  var pairs: array<vec2f, 4>;
  for (var i = 0u; i < 4u; i++) {
    let dim = min(chunk * 4u + i, HALF - 1u);
    pairs[i] = vec2f(y[at + dim], y[at + HALF + dim]);
  }
  return array(vec4f(pairs[0], pairs[1]), vec4f(pairs[2], pairs[3]));
}
