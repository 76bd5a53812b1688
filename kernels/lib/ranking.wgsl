// One workgroup over one vocabulary: the highest token, sums in a fixed order, and the threshold above which the first
// so many tokens, or so much of their mass, lie. Lane l looks at tokens l, l + WG, …: at all of them, or at those that
// `collect` put on its list. The kernel says what it sees:
//   struct View, with listed: bool; fn seen(token, view) -> f32; fn ranked(token, view) -> Ranked;
//   fn amount_of(value, view) -> u32: what a token adds up to; fn opaque(bound, view) -> u32: no constant to a compiler
struct Ranked { key: u32, value: f32 } // the higher the key, the sooner
struct Highest { value: f32, token: u32 }
struct Threshold {
  key: u32,
  above: u32, // amount of the keys above it
  at: u32, // amount of the keys equal to it
}

const LOWEST = -3.0e38; // not seen at all
const ROOM = 16u;

var<private> list: array<u32, ROOM>;
var<private> listed: u32;
var<workgroup> best: array<Highest, WG>;
var<workgroup> sums: array<vec2f, WG>;
var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> level: Threshold; // its key is a bin

// Orders floats as unsigned integers.
fn key_of(v: f32) -> u32 {
  let bits = bitcast<u32>(v);
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

// How many tokens a lane looks at, and which.
fn turns(view: View, lane: u32) -> u32 { return select((VOCABULARY + WG - 1u - lane) / WG, listed, view.listed); }
fn token_at(turn: u32, view: View, lane: u32) -> u32 {
  if (view.listed) { return list[turn]; }
  return turn * WG + lane;
}

// The highest of all lanes' candidates; of equals, the lowest token.
fn highest(one: Highest, view: View, lane: u32) -> Highest {
  best[lane] = one;
  for (var half = opaque(WG / 2u, view); half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      let mine = best[lane];
      let other = best[lane + half];
      if (other.value > mine.value || (other.value == mine.value && other.token < mine.token)) { best[lane] = other; }
    }
  }
  return workgroupUniformLoad(&best[0]);
}

// The highest of all tokens. Each lane's own is on its list afterwards.
fn likeliest(view: View, lane: u32) -> Highest {
  var own = Highest(LOWEST, 0u);
  for (var i = lane; i < VOCABULARY; i += WG) {
    let v = seen(i, view);
    if (v > own.value) { own = Highest(v, i); }
  }
  list[0] = own.token;
  listed = u32(own.value > LOWEST);
  return highest(own, view, lane);
}

fn sum(value: vec2f, view: View, lane: u32) -> vec2f {
  sums[lane] = value;
  for (var half = opaque(WG / 2u, view); half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] += sums[lane + half]; }
  }
  return workgroupUniformLoad(&sums[0]);
}

// Lists the tokens whose values' keys are not below `floor_key`; false when a lane has no room for its own.
fn collect(floor_key: u32, view: View, lane: u32) -> bool {
  listed = 0u;
  for (var i = lane; i < VOCABULARY; i += WG) {
    if (key_of(seen(i, view)) < floor_key) { continue; }
    list[min(listed, ROOM - 1u)] = i;
    listed++;
  }
  return sum(vec2f(f32(max(listed, ROOM) - ROOM), 0.0), view, lane).x == 0.0;
}

// The largest key such that the amount of keys not below it reaches `wanted`, at least `floor_key`: a radix descent
// over four bytes. Amounts are integers, so the order of adding is no matter.
fn threshold(wanted: u32, floor_key: u32, view: View, lane: u32) -> Threshold {
  var found = Threshold();
  for (var left = opaque(4u, view); left > 0u; left--) {
    let shift = left * 8u - 8u;
    for (var i = lane; i < 256u; i += WG) { atomicStore(&bins[i], 0u); }
    workgroupBarrier();
    for (var turn = 0u; turn < turns(view, lane); turn++) {
      let one = ranked(token_at(turn, view, lane), view);
      let other = one.key ^ found.key;
      if (one.key < floor_key || (left < 4u && (other >> (shift + 8u)) != 0u)) { continue; }
      atomicAdd(&bins[(one.key >> shift) & 255u], amount_of(one.value, view));
    }
    workgroupBarrier();
    if (lane == 0u) {
      var above = found.above;
      var bin = 255u;
      while (bin > 0u && above + atomicLoad(&bins[bin]) < wanted) {
        above += atomicLoad(&bins[bin]);
        bin--;
      }
      level = Threshold(bin, above, atomicLoad(&bins[bin]));
    }
    let step = workgroupUniformLoad(&level);
    found = Threshold(found.key | (step.key << shift), step.above, step.at);
  }
  found.key = max(found.key, floor_key);
  return found;
}
