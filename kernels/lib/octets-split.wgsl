// SPLIT octets saw different keys: their softmaxes meet in shared memory, in the order of the octets.
var<workgroup> marks: array<vec2f, SPLIT>; // highest score, sum of weights
var<workgroup> parts: array<vec4f, SPLIT * 8u>;

fn whole_of(top: f32, sum: f32, lane: Lane) -> Softmax {
  workgroupBarrier();
  if (lane.local.x == 0u) { marks[lane.local.y] = vec2f(top, sum); }
  workgroupBarrier();
  var highest = marks[0].x;
  for (var s = 1u; s < SPLIT; s++) { highest = max(highest, marks[s].x); }
  var total = 0.0;
  for (var s = 0u; s < SPLIT; s++) { total = fma(exp(marks[s].x - highest), marks[s].y, total); }
  return Softmax(highest, total);
}

// What an octet's values count in the whole.
fn factor_of(top: f32, whole: Softmax) -> f32 { return exp(top - whole.top) / whole.sum; }

fn over_octets(value: vec4f, lane: Lane) -> vec4f {
  workgroupBarrier();
  parts[lane.local.y * 8u + lane.local.x] = value;
  workgroupBarrier();
  var sum = parts[lane.local.x];
  for (var s = 1u; s < SPLIT; s++) { sum += parts[s * 8u + lane.local.x]; }
  return sum;
}
