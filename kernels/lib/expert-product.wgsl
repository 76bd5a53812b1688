// The product of one vector with a row block of one expert: dot(W[n], x) for its 32 rows, four of them (a quad) an invocation.
// The columns are cut into SPLIT runs; `over_runs` adds them up in order. A row of the step has its experts to itself: who
// else is in it changes nothing.
//   x f32, from the vec4 `at` on; KB blocks of 32 columns
var<workgroup> shares: array<vec4f, SPLIT * 8u>;

fn expert_run(row_block: u32, at: u32, local: vec3u) -> vec4f {
  const RUN = (KB + SPLIT - 1u) / SPLIT;
  let quad = local.x;
  // No constants, since compilers unroll short loops whole and take seconds for it.
  let opaque = routes[0].x >> 31u;
  var acc = vec4f(0.0);
  let end = min(KB, (local.y + 1u) * RUN + opaque);
  for (var b = local.y * RUN; b < end; b++) {
    // Zeroed in words: on lavapipe (Mesa 25.0) a variable without an initialiser keeps the last round's value.
    var total = vec4f(0.0);
    var sum = 0.0;
    for (var r = 0u; r < 4u + opaque; r++) {
      let run = load_run(row_block, b, r, quad);
      for (var h = 0u; h < 2u; h++) {
        let v = x[at + b * 8u + r * 2u + h];
        sum += (v.x + v.y) + (v.z + v.w);
        for (var c = 0u; c < 4u; c++) { total = fma(rows_at(run, h * 4u + c), vec4f(v[c]), total); }
      }
    }
    acc += scaled(load_affines(row_block, b, quad), total, sum);
  }
  return acc;
}

// Once in a kernel: what is shared is not cleared.
fn over_runs(value: vec4f, local: vec3u) -> vec4f {
  if (SPLIT == 1u) { return value; }
  shares[local.y * 8u + local.x] = value;
  workgroupBarrier();
  var sum = shares[local.x];
  for (var s = 1u; s < SPLIT; s++) { sum += shares[s * 8u + local.x]; }
  return sum;
}
