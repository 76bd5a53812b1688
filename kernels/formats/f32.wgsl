// Weights as f32: a run is eight words of each row.
struct Run { columns: array<vec4u, 8>, }
fn load_run(row_block: u32, b: u32, r: u32, quad: u32) -> Run {
  var run: Run;
  for (var j = 0u; j < 8u; j++) { run.columns[j] = load_unit(row_block, b, r * 8u + j, quad); }
  return run;
}
fn rows_at(run: Run, j: u32) -> vec4f { return bitcast<vec4f>(run.columns[j]); }
