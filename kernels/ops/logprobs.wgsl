// Log-probabilities under the model's own distribution, before penalties, bias and temperature: of the chosen token,
// and of the most likely ones beside it.
//   logits [picks, VOCABULARY]; picks [picks] (row, slot, out, run): the chosen token lies in latest[out]
//   wanted [picks]: 0 when nothing is, else 1 + the number of alternatives
//   details [picks, DETAIL_WORDS]: bits of the choice's log-probability, n, then n times a token and the bits of its
//     log-probability, the most likely first, of equals the lowest token
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> picks: array<vec4u>;
@group(0) @binding(2) var<storage, read> wanted: array<u32>;
@group(0) @binding(3) var<storage, read> latest: array<u32>;
@group(0) @binding(4) var<storage, read_write> details: array<u32>;

struct View {
  first: u32, // of the pick's logits
  row: u32,
  listed: bool,
  equal_to: u32, // rank the tokens of this key, the lowest first; 0: rank all by their values
}

var<workgroup> candidates: array<vec2u, MOST_ALTERNATIVES>; // key, token
var<workgroup> collected: atomic<u32>;

fn opaque(bound: u32, view: View) -> u32 { return bound + (view.row >> 31u); } // no row has that number

fn seen(token: u32, view: View) -> f32 { return logits[view.first + token]; }

fn ranked(token: u32, view: View) -> Ranked {
  let v = seen(token, view);
  let key = key_of(v);
  if (view.equal_to == 0u) { return Ranked(key, v); }
  return Ranked(select(0u, ~token, key == view.equal_to), v);
}

fn amount_of(value: f32, view: View) -> u32 { return 1u; }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  if (wanted[group.x] == 0u) { return; }
  let count = min(min(wanted[group.x] - 1u, VOCABULARY), MOST_ALTERNATIVES);
  let pick = picks[group.x];
  var view = View(group.x * VOCABULARY, pick.x, false, 0u);
  let top = likeliest(view, lane).value;
  var mass = 0.0;
  for (var i = lane; i < VOCABULARY; i += WG) { mass += exp(seen(i, view) - top); }
  let rest = log(sum(vec2f(mass, 0.0), view, lane).x);
  let to = group.x * DETAIL_WORDS;
  if (lane == 0u) {
    details[to] = bitcast<u32>(seen(latest[pick.z], view) - top - rest);
    details[to + 1u] = count;
  }
  if (count == 0u) { return; }
  // Three rounds: a bound from the lanes' highest, so that few are looked at again; the last value that is in; and, when
  // more tokens than are wanted have it, the last of those.
  var last = Threshold();
  var last_token = VOCABULARY;
  for (var round = 0u; round < opaque(3u, view); round++) {
    if (round == 2u && last.above + last.at <= count) { break; }
    view.listed = view.listed || round == 0u;
    let found = threshold(count - last.above, 1u, view, lane);
    if (round == 0u) {
      view.listed = collect(found.key, view, lane);
    } else if (round == 1u) {
      last = found;
      view.equal_to = found.key;
    } else {
      last_token = ~found.key;
    }
  }
  for (var turn = 0u; turn < turns(view, lane); turn++) {
    let i = token_at(turn, view, lane);
    let key = key_of(seen(i, view));
    if (key < last.key || (key == last.key && i > last_token)) { continue; }
    candidates[min(atomicAdd(&collected, 1u), MOST_ALTERNATIVES - 1u)] = vec2u(key, i);
  }
  workgroupBarrier();
  // They came in any order: each invocation puts one where it belongs, behind all that are ahead of it.
  for (var i = lane; i < count; i += WG) {
    let mine = candidates[i];
    var ahead = 0u;
    for (var j = 0u; j < count; j++) {
      let other = candidates[j];
      if (other.x > mine.x || (other.x == mine.x && other.y < mine.y)) { ahead++; }
    }
    let at = to + 2u + 2u * ahead;
    details[at] = mine.y;
    details[at + 1u] = bitcast<u32>(seen(mine.y, view) - top - rest);
  }
}
