// 8-bit weights times integers: a run is two words of each row.
alias Part = vec4i;
fn run_add(part: Part, run: Run, first: vec4i, second: vec4i) -> Part {
  var sum = part;
  for (var c = 0u; c < 4u; c++) { sum += vec4i((run.a >> vec4u(c * 8u)) & vec4u(255u)) * vec4i(first[c]); }
  for (var c = 0u; c < 4u; c++) { sum += vec4i((run.b >> vec4u(c * 8u)) & vec4u(255u)) * vec4i(second[c]); }
  return sum;
}
fn part_sum(part: Part) -> vec4i { return part; }
