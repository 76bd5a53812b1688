// Arithmetic whose bits do not depend on the adapter, though a compiler may fuse a product into a sum, and a division may
// be 2.5 ULP off: a product that is added is exact, its factors being cut to 12 bits, or is cut itself; a quotient is
// corrected. quantize-oracle.ts is the same on the CPU.
fn cut(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u); }
fn cut4(x: vec4f) -> vec4f { return bitcast<vec4f>(bitcast<vec4u>(x) & vec4u(0xfffff000u)); }
// The leading 12 bits of a whole number.
fn cut_whole(x: u32) -> f32 {
  let rest = 20u - min(20u, countLeadingZeros(x));
  return f32((x >> rest) << rest);
}
fn sum4(x: vec4f) -> f32 { return (x.x + x.y) + (x.z + x.w); }

// 1 / x, rounded once, for x of at most 12 bits.
fn reciprocal(x: f32) -> f32 {
  let r = 1.0 / x;
  let high = cut(r);
  return r + cut(r * ((1.0 - x * high) - x * (r - high)));
}

// To f16 and back, to nearest even: drivers round in pack2x16float as they like.
fn half_of(x: f32) -> u32 {
  let bits = bitcast<u32>(clamp(x, -65504.0, 65504.0));
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude < 0x38800000u) {
    let steps = u32(round(bitcast<f32>(magnitude) * 16777216.0));
    return select(0u, sign | steps, steps > 0u); // no -0, which min may or may not give
  }
  return sign | ((magnitude + 0xfffu + ((magnitude >> 13u) & 1u) - 0x38000000u) >> 13u);
}
fn float_of(half: u32) -> f32 {
  let magnitude = half & 0x7fffu;
  let value = select(bitcast<f32>((magnitude << 13u) + 0x38000000u), f32(magnitude) / 16777216.0, magnitude < 1024u);
  return select(value, -value, (half & 0x8000u) != 0u);
}
