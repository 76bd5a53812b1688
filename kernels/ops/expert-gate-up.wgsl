// y[row, c, i] = gated(dot(Wg[i], x[row]) + bias.x, dot(Wu[i], x[row]) + bias.y) of the c-th expert that the row goes through.
// Row pairs are (gate i, up i). A workgroup does one row block of one expert for one row: weights of experts that were not
// chosen are not read. A matrix in several parts takes a dispatch each; experts' blocks in other parts are left alone.
//   x [rows, KB * 32]; routes [rows, CHOSEN] (expert, weight); bias [pairs of all experts' rows]; y [rows, CHOSEN, Y_STRIDE] f32
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> routes: array<vec2u>;
@group(0) @binding(2) var<storage, read> bias: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, SPLIT)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let block = routes[group.y].x * BLOCKS + group.x;
  if (block < BLOCK_START || block >= BLOCK_END) { return; }
  let value = over_runs(expert_run(block - BLOCK_START, group.y / CHOSEN * KB * 8u, local), local);
  if (local.y > 0u) { return; }
  let pair = group.x * 16u + local.x * 2u;
  let own = block * 16u + local.x * 2u;
  let at = group.y * Y_STRIDE + pair;
  if (pair < PAIRS) { y[at] = gated(value.xy + bias[own]); }
  if (pair + 1u < PAIRS) { y[at + 1u] = gated(value.zw + bias[own + 1u]); }
}
