// Four chains of vec4f multiply-adds in registers, unrolled by 8: 256 operations a lap and an invocation.
// The numbers come from a buffer, so that no compiler can know that m = s = 1 and every chain ends at 8 * laps.
// Prelude: WG (invocations a workgroup).

struct Params {
  m: vec4f,
  s: vec4f,
  start: array<vec4f, 4>,
  laps: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read_write> ends: array<vec4f>;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let m = params.m;
  let s = params.s;
  let laps = params.laps;
  var a = params.start[0];
  var b = params.start[1];
  var c = params.start[2];
  var d = params.start[3];
  for (var lap = 0u; lap < laps; lap++) {
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s);
    a = fma(a, m, s); b = fma(b, m, s); c = fma(c, m, s); d = fma(d, m, s);
  }
  ends[id.x] = a + b + c + d;
}
