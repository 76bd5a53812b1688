// A run of weights of 16 bits: four words of each row, two columns to a word.
struct Run { a: vec4u, b: vec4u, c: vec4u, d: vec4u, }
fn load_run(row_block: u32, b: u32, r: u32, quad: u32) -> Run {
  let u = r * 4u;
  return Run(load_unit(row_block, b, u, quad), load_unit(row_block, b, u + 1u, quad),
    load_unit(row_block, b, u + 2u, quad), load_unit(row_block, b, u + 3u, quad));
}
fn words_at(run: Run, j: u32) -> vec4u { return select(select(run.a, run.b, j > 1u), select(run.c, run.d, j > 5u), j > 3u); }
