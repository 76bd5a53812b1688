// An invocation owns one pair of weight rows.
alias Sides = vec2f;
struct Units { a: vec4u, b: vec4u, }
struct Columns { x: Sides, y: Sides, z: Sides, w: Sides, }
struct Affines { a: vec2f, b: vec2f, }

fn load_units(pair_block: u32, b: u32, u: u32, column: u32) -> Units {
  return Units(load_unit(pair_block, b, 0u, u, column), load_unit(pair_block, b, 1u, u, column));
}
fn columns_of(units: Units, j: u32) -> Columns {
  let a = weight4(units.a, j);
  let b = weight4(units.b, j);
  return Columns(vec2f(a.x, b.x), vec2f(a.y, b.y), vec2f(a.z, b.z), vec2f(a.w, b.w));
}
fn load_affines(pair_block: u32, b: u32, column: u32) -> Affines {
  return Affines(load_affine(pair_block, b, 0u, column), load_affine(pair_block, b, 1u, column));
}
fn scaled_sides(s: Affines, total: Sides, sum: f32) -> Sides {
  return vec2f(scaled(s.a, total.x, sum), scaled(s.b, total.y, sum));
}
fn store_sides(row: u32, pair: u32, value: Sides) { store_pair(row, pair, value); }
