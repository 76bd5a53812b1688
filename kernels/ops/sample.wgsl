// Chooses the next token after each row that asks for one; logits never leave the GPU, and stay as they are.
// Order: repetition, presence and frequency penalties, bias, mask, temperature, top-k, top-p, min-p, locally typical
// sampling (Meister et al. 2022), then a draw by the Gumbel-max trick (Gumbel 1954) with numbers keyed by (seed,
// position, token). A choice depends on its own logits, settings, counts and position, whoever shares the batch.
//   logits [picks, VOCABULARY]; rows (token, position, slot, KV slot + 1); a token with its top bit set lies in `latest`
//   picks (row, slot, out, run): the choice goes to latest[out]; the tokens of the `run` rows, up to DRAFTS, that end with this
//     one are drafts: `counts` lacks them, and they count as generated. No pick may write where a draft lies
//   counts [slots, VOCABULARY]: times generated, bit 31 when in the prompt; bias [slots, VOCABULARY]
//   mask [slots, MASK_WORDS]: a bit a token, set when it is allowed; when none is, the choice is token 0
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> mask: array<u32>;
@group(0) @binding(4) var<storage, read> rows: array<vec4u>;
@group(0) @binding(5) var<storage, read> picks: array<vec4u>;
@group(0) @binding(6) var<storage, read> settings: array<Settings>;
@group(0) @binding(7) var<storage, read_write> latest: array<u32>;

var<workgroup> drafted: array<u32, DRAFTS>; // the newest first
var<private> drafts: u32; // a bit for each 32 tokens, modulo 1024, that hold a draft: few look closer

fn opaque(bound: u32, view: View) -> u32 { return bound + (view.pick.x >> 31u); } // no row has that number

fn draft(back: u32, pick: vec4u) -> u32 {
  let code = rows[pick.x - back].x;
  if (code < 0x80000000u) { return code; }
  return latest[code & 0x7fffffffu];
}

fn times_drafted(token: u32, pick: vec4u) -> u32 {
  var times = 0u;
  if (((drafts >> (token / 32u % 32u)) & 1u) == 0u) { return times; }
  for (var back = 0u; back < pick.w; back++) { times += u32(drafted[back] == token); }
  return times;
}

// What the draw sees of a token; LOWEST when it is not allowed.
fn seen(token: u32, view: View) -> f32 {
  let s = view.s;
  let slot = view.pick.y;
  var v = logits[view.first + token];
  if (s.flags != 0u) {
    if ((s.flags & PENALTIES) != 0u) {
      v = penalised(v, counts[slot * VOCABULARY + token] + times_drafted(token, view.pick), s);
    }
    if ((s.flags & BIAS) != 0u) { v += bias[slot * VOCABULARY + token]; }
    if ((s.flags & MASK) != 0u) {
      let word = mask[slot * MASK_WORDS + token / 32u];
      if (((word >> (token % 32u)) & 1u) == 0u) { return LOWEST; }
    }
  }
  return v / select(1.0, s.temperature, s.temperature > 0.0);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let pick = picks[group.x];
  let s = settings[pick.y];
  var view = View(pick, s, group.x * VOCABULARY, false, BY_LANE, 0.0, vec2f(), key_of(LOWEST) + 1u, 0u);
  for (var back = lane; back < pick.w; back += WG) { drafted[back] = draft(back, pick); }
  workgroupBarrier();
  for (var back = 0u; back < pick.w; back++) { drafts |= 1u << (drafted[back] / 32u % 32u); }
  let is_drawn = s.temperature > 0.0;
  let is_narrowed = kept_by(BY_LANE, s) + kept_by(BY_SURPRISE, s) > 0u;
  var choice = Highest();
  if (!is_drawn || is_narrowed) { choice = likeliest(view, lane); }
  if (is_drawn && is_narrowed) {
    view.top = choice.value;
    view = narrowed(view, lane);
  }
  if (is_drawn) {
    var drawn = Highest(LOWEST, 0u);
    for (var turn = 0u; turn < turns(view, lane); turn++) {
      let i = token_at(turn, view, lane);
      let v = seen(i, view);
      if (!is_in(v, view)) { continue; }
      let value = v - log(-log(uniform_of(s.seed, rows[pick.x].y, i)));
      if (value > drawn.value) { drawn = Highest(value, i); }
    }
    choice = highest(drawn, view, lane);
  }
  if (lane == 0u) { latest[pick.z] = choice.token; }
}
