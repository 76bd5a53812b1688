// 4-bit weights times integers: a word holds four columns of two rows, so one multiplication serves both, in 16 bits each.
// |sum of 16 products| <= 16 * 15 * 127 < 2^15: two runs fit before the halves are taken apart.
alias Part = vec2i;
fn run_add(part: Part, run: Run, first: vec4i, second: vec4i) -> Part {
  let words = bitcast<vec4i>(run.a);
  const MASK = vec2i(0x000f000f);
  var sum = part;
  for (var c = 0u; c < 4u; c++) { sum += ((words.xz >> vec2u(c * 4u)) & MASK) * vec2i(first[c]); }
  for (var c = 0u; c < 4u; c++) { sum += ((words.yw >> vec2u(c * 4u)) & MASK) * vec2i(second[c]); }
  return sum;
}
fn part_sum(part: Part) -> vec4i {
  let low = (part << vec2u(16u)) >> vec2u(16u);
  let high = (part - low) >> vec2u(16u);
  return vec4i(low.x, high.x, low.y, high.y);
}
