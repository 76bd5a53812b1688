// Four pairs of a head's output, at dimensions i and i + HALF of y [rows, Y_STRIDE], four values at a time.
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
fn quad_of(row: u32, head: u32, chunk: u32) -> u32 { return row * (Y_STRIDE / 4u) + head * (HALF / 2u) + chunk; }
fn store_chunk(row: u32, head: u32, chunk: u32, low: vec4f, high: vec4f) {
  if (chunk >= HALF / 4u) { return; }
  let at = quad_of(row, head, chunk);
  y[at] = vec4f(low.xz, high.xz);
  y[at + HALF / 4u] = vec4f(low.yw, high.yw);
}
fn load_chunk(row: u32, head: u32, chunk: u32) -> array<vec4f, 2> {
  let at = quad_of(row, head, min(chunk, HALF / 4u - 1u));
  let a = y[at];
  let b = y[at + HALF / 4u];
  return array(vec4f(a.x, b.x, a.y, b.y), vec4f(a.z, b.z, a.w, b.w));
}
