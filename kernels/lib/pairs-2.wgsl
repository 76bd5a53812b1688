// An invocation owns two pairs of weight rows, 32 pairs apart.
alias Sides = vec4f;
struct Units { a: vec4u, b: vec4u, c: vec4u, d: vec4u, }
struct Columns { x: Sides, y: Sides, z: Sides, w: Sides, }
struct Affines { a: vec2f, b: vec2f, c: vec2f, d: vec2f, }

fn next_block(pair_block: u32) -> u32 { return min(pair_block + 1u, PAIR_BLOCKS - 1u); }
fn load_units(pair_block: u32, b: u32, u: u32, column: u32) -> Units {
  let next = next_block(pair_block);
  return Units(load_unit(pair_block, b, 0u, u, column), load_unit(pair_block, b, 1u, u, column),
    load_unit(next, b, 0u, u, column), load_unit(next, b, 1u, u, column));
}
fn columns_of(units: Units, j: u32) -> Columns {
  let a = weight4(units.a, j);
  let b = weight4(units.b, j);
  let c = weight4(units.c, j);
  let d = weight4(units.d, j);
  return Columns(vec4f(a.x, b.x, c.x, d.x), vec4f(a.y, b.y, c.y, d.y), vec4f(a.z, b.z, c.z, d.z),
    vec4f(a.w, b.w, c.w, d.w));
}
fn load_affines(pair_block: u32, b: u32, column: u32) -> Affines {
  let next = next_block(pair_block);
  return Affines(load_affine(pair_block, b, 0u, column), load_affine(pair_block, b, 1u, column),
    load_affine(next, b, 0u, column), load_affine(next, b, 1u, column));
}
fn scaled_sides(s: Affines, total: Sides, sum: f32) -> Sides {
  return vec4f(scaled(s.a, total.x, sum), scaled(s.b, total.y, sum), scaled(s.c, total.z, sum), scaled(s.d, total.w, sum));
}
fn store_sides(row: u32, pair: u32, value: Sides) {
  store_pair(row, pair, value.xy);
  store_pair(row, pair + 32u, value.zw);
}
