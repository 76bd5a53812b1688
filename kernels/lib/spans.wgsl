// Keys come in spans of SPAN from position 0; each has a softmax of its own, and they add up in order. An answer depends on
// SPAN, and not on whether a workgroup takes all spans of a row (y holds what they come to so far) or each takes one and
// leaves it in partials [rows, HEADS, SPANS]: (highest score, sum of weights, 0, 0), then CHUNKS chunks of two vectors.
@group(0) @binding(6) var<storage, read_write> partials: array<vec4f>;
const CHUNKS = HALF_PAD / 4u; // of four pairs
const LOWEST = -3.0e38;
struct Softmax { top: f32, sum: f32, }
struct Joined { all: Softmax, fade: f32, weight: f32, }

// The first and the last span that a row of `length` tokens sees keys of.
fn spans_of(length: u32) -> vec2u { return vec2u(first_key(length - 1u), length - 1u) / SPAN; }

// What the values so far and those of one more span count in their sum.
fn join(all: Softmax, one: Softmax) -> Joined {
  let top = max(all.top, one.top);
  let fade = exp(all.top - top);
  let weight = exp(one.top - top) * one.sum;
  return Joined(Softmax(top, fma(all.sum, fade, weight)), fade, weight);
}
fn blend(by: Joined, value: vec4f, before: vec4f) -> vec4f { return fma(value, vec4f(by.weight), before * by.fade); }

fn partial_at(row: u32, head: u32, span: u32) -> u32 {
  return ((row * HEADS + head) * SPANS + span) * (1u + 2u * CHUNKS);
}
