// y[row] = sum over the experts that a row goes through of weight * (dot(W[n], x[row, c]) + bias[n]), in their order, added to
// what y held when ADD is 1. A workgroup does one row block for one row of the step: weights of experts that were not chosen are not read.
// A matrix in several parts takes a dispatch each, all but the first with ADD.
//   x [rows, CHOSEN, KB * 32]; routes [rows, CHOSEN] (expert, weight); bias [quads of all experts' rows]; y [rows, Y_STRIDE] f32
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> routes: array<vec2u>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, SPLIT)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let row = group.y;
  // Uniform, and no constant: compilers unroll short loops whole and take seconds for it.
  let rounds = CHOSEN + (routes[0].x >> 31u);
  var sum = vec4f(0.0);
  var biases = vec4f(0.0);
  for (var c = 0u; c < rounds; c++) {
    let route = routes[row * CHOSEN + c];
    let block = route.x * BLOCKS + group.x;
    if (block < BLOCK_START || block >= BLOCK_END) { continue; }
    let share = vec4f(bitcast<f32>(route.y));
    sum = fma(share, expert_run(block - BLOCK_START, (row * CHOSEN + c) * KB * 8u, local), sum);
    biases = fma(share, bias[block * 8u + local.x], biases);
  }
  sum = over_runs(sum, local) + biases;
  if (local.y > 0u) { return; }
  let n = group.x * 32u + local.x * 4u;
  for (var side = 0u; side < 4u; side++) {
    if (n + side >= EACH) { break; }
    let at = row * Y_STRIDE + n + side;
    y[at] = select(sum[side], y[at] + sum[side], ADD == 1u);
  }
}
