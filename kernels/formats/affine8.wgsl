// 8-bit weights: a run is two words of each row.
struct Run { a: vec4u, b: vec4u, }
fn load_run(row_block: u32, b: u32, r: u32, quad: u32) -> Run {
  return Run(load_unit(row_block, b, r * 2u, quad), load_unit(row_block, b, r * 2u + 1u, quad));
}
fn rows_at(run: Run, j: u32) -> vec4f {
  let words = select(run.a, run.b, j > 3u);
  return vec4f((words >> vec4u((j & 3u) * 8u)) & vec4u(255u));
}
