// The sums of a row's blocks, b to the sum number b % 8, and those pair by pair, through the workgroup's memory.
struct Lane { @builtin(local_invocation_index) id: u32, }
var<workgroup> noted: array<f32, HIDDEN_BLOCKS>;
fn note(b: u32, squares: f32) { noted[b] = squares; }
fn row_total(lane: Lane) -> f32 {
  workgroupBarrier();
  var eight = array<f32, 8>();
  for (var b = 0u; b < HIDDEN_BLOCKS; b++) { eight[b % 8u] += noted[b]; }
  return ((eight[0] + eight[1]) + (eight[2] + eight[3])) + ((eight[4] + eight[5]) + (eight[6] + eight[7]));
}
