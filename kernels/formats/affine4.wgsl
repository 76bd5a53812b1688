// 4-bit weights: a run is a word of each row. Neighbouring rows share their words: four columns of both in the first, the next
// four in the second.
struct Run { a: vec4u, }
fn load_run(row_block: u32, b: u32, r: u32, quad: u32) -> Run { return Run(load_unit(row_block, b, r, quad)); }
fn rows_at(run: Run, j: u32) -> vec4f {
  let words = select(run.a.xz, run.a.yw, j > 3u);
  let shift = (j & 3u) * 4u;
  return vec4f(vec4u(words.x >> shift, words.x >> (shift + 16u), words.y >> shift, words.y >> (shift + 16u)) & vec4u(15u));
}
