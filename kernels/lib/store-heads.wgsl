// Four pairs of a head's output, at dimensions i and i + HALF of y [rows, Y_STRIDE].
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
