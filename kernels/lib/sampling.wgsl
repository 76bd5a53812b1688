// The rules of sampling: what becomes of one logit, its random number, and the filters, over ranking.wgsl.
// ops/sample-oracle.ts holds the same rules in float64.
struct Settings {
  temperature: f32, top_p: f32, min_p: f32, typical_p: f32,
  repetition: f32, presence: f32, frequency: f32, top_k: u32,
  seed: u32, flags: u32, unused: vec2u,
}

// Flags: what is not in use is never read.
const PENALTIES = 1u;
const BIAS = 2u;
const MASK = 4u;

// Filters, in their order. The first lets tokens out of sight at a low price and changes no answer.
const BY_LANE = 0u; // the first so many of the lanes' highest tokens
const BY_COUNT = 1u;
const BY_MASS = 2u;
const BY_SURPRISE = 3u; // how far a token's own is from the mean

const NO_LIST = 0xffffffffu;

// What a pass sees.
struct View {
  pick: vec4u,
  s: Settings,
  first: u32, // of the pick's logits
  listed: bool, // see ranking.wgsl
  rule: u32,
  top: f32,
  moments: vec2f, // mass and mean surprise, both relative to the most likely token
  value_floor: u32, // keys below it are out
  surprise_floor: u32,
}

fn penalised(value: f32, count: u32, s: Settings) -> f32 {
  var v = value;
  if (count != 0u) { v = select(v * s.repetition, v / s.repetition, v > 0.0); }
  let times = count & 0x7fffffffu;
  if (times > 0u) { v -= s.presence + s.frequency * f32(times); }
  return v;
}

// PCG3D (Jarzynski and Olano, 2020), first word, as a number inside (0, 1).
fn uniform_of(seed: u32, position: u32, token: u32) -> f32 {
  var v = vec3u(seed, position, token) * 1664525u + 1013904223u;
  v.x += v.y * v.z; v.y += v.z * v.x; v.z += v.x * v.y;
  v ^= v >> vec3u(16u);
  v.x += v.y * v.z; v.y += v.z * v.x; v.z += v.x * v.y;
  return (f32(v.x >> 9u) + 0.5) * 0x1p-23;
}

// How much a filter keeps: a number of tokens, or a share of the mass in units of 2^-31; 0 when it is off.
fn kept_by(rule: u32, s: Settings) -> u32 {
  let is_top_k = s.top_k > 0u && s.top_k < VOCABULARY;
  if (rule == BY_LANE) { return select(0u, WG * 7u / 8u, is_top_k || s.top_p < 1.0 || s.min_p > 0.0); }
  if (rule == BY_COUNT) { return select(0u, s.top_k, is_top_k); }
  let share = select(s.top_p, s.typical_p, rule == BY_SURPRISE);
  return select(0u, max(1u, u32(share * 0x1p31)), share < 1.0);
}

fn surprise_key(v: f32, view: View) -> u32 { return ~bitcast<u32>(abs(view.top - v - view.moments.y)); }

fn is_in(v: f32, view: View) -> bool {
  return key_of(v) >= view.value_floor && surprise_key(v, view) >= view.surprise_floor;
}

fn ranked(token: u32, view: View) -> Ranked {
  let v = seen(token, view);
  let key = key_of(v);
  if (view.rule != BY_SURPRISE) { return Ranked(key, v); }
  return Ranked(select(0u, surprise_key(v, view), key >= view.value_floor), v);
}

fn amount_of(v: f32, view: View) -> u32 {
  if (view.rule < BY_MASS) { return 1u; }
  return u32(exp(v - view.top) / view.moments.x * 0x1p31);
}

fn moments(view: View, lane: u32) -> vec2f {
  var part = vec2f();
  for (var turn = 0u; turn < turns(view, lane); turn++) {
    let v = seen(token_at(turn, view, lane), view);
    if (key_of(v) >= view.value_floor) { part += exp(v - view.top) * vec2f(1.0, view.top - v); }
  }
  let all = sum(part, view, lane);
  return vec2f(all.x, all.y / all.x);
}

// Narrows a view of all tokens to what the filters leave in. `top` is known and each lane has listed its highest token.
fn narrowed(all: View, lane: u32) -> View {
  var view = all;
  var list_floor = NO_LIST; // the list has all tokens whose keys are not below it
  for (var rule = BY_LANE; rule < opaque(4u, view); rule++) {
    if (rule == BY_SURPRISE && view.s.min_p > 0.0) {
      view.value_floor = max(view.value_floor, key_of(view.top + log(view.s.min_p)));
    }
    let wanted = kept_by(rule, view.s);
    if (wanted == 0u) { continue; }
    view.rule = rule;
    let is_covered = view.value_floor >= list_floor; // the list has all that is left in
    view.listed = is_covered;
    if (rule >= BY_MASS) { view.moments = moments(view, lane); }
    view.listed = is_covered || rule == BY_LANE || (rule < BY_SURPRISE && list_floor != NO_LIST);
    let floor_key = select(view.value_floor, 1u, rule == BY_SURPRISE);
    var found = Threshold();
    loop {
      found = threshold(wanted, floor_key, view, lane);
      let is_settled = !view.listed || is_covered || rule == BY_LANE;
      if (is_settled || found.above + found.at >= wanted) { break; }
      view.listed = false; // the list does not reach so far
    }
    if (rule == BY_SURPRISE) {
      view.surprise_floor = found.key;
    } else if (rule != BY_LANE) {
      view.value_floor = found.key;
    } else if (collect(found.key, view, lane)) {
      list_floor = found.key;
    }
  }
  view.listed = view.value_floor >= list_floor;
  return view;
}
