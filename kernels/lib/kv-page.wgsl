// Where a pair (i, i + half) of a head lies, counted in pairs: a page holds the keys of all KV heads, [chunk of 4 pairs]
// [16 tokens][4 pairs] each, then their values, [16 tokens][HALF_PAD pairs] each. `head`: keys first, then values.
fn pair_place(place: u32, head: u32, i: u32) -> u32 {
  let block = place / 16u * 2u * KV_HEADS + head;
  let token = place % 16u;
  let key = ((block * (HALF_PAD / 4u) + i / 4u) * 16u + token) * 4u + i % 4u;
  return select((block * 16u + token) * HALF_PAD + i, key, head < KV_HEADS);
}
