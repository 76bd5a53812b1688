// Chooses the next token of each row and puts it in its place for the next step; logits never leave the GPU.
// Order: repetition, presence and frequency penalties, temperature, top-k, top-p, min-p, then a draw by the Gumbel-max
// trick (Gumbel 1954) with numbers keyed by (seed, position, token): the same whoever shares the batch.
//   logits [rows, VOCABULARY], overwritten by what the draw sees; counts [slots, VOCABULARY]: times generated, bit 31 when in the prompt
//   picks [rows] (row of `next`, slot, 0, 0); ids [rows]: the choice
//   next (token, position, sequence, slot + 1): the row just run becomes the row to run; page_table [sequences, MAX_PAGES]
@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>;
@group(0) @binding(2) var<storage, read> picks: array<vec4u>;
@group(0) @binding(3) var<storage, read> settings: array<Settings>;
@group(0) @binding(4) var<storage, read> page_table: array<u32>;
@group(0) @binding(5) var<storage, read_write> next: array<vec4u>;
@group(0) @binding(6) var<storage, read_write> ids: array<u32>;

var<workgroup> best: array<f32, WG>;
var<workgroup> best_at: array<u32, WG>;
var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> chosen: vec2u; // bin, amount above it

// The highest of all invocations' candidates; of equals, the lowest token.
fn highest(value: f32, token: u32, lane: u32) -> u32 {
  best[lane] = value;
  best_at[lane] = token;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      let other = lane + half;
      let wins = best[other] > best[lane] || (best[other] == best[lane] && best_at[other] < best_at[lane]);
      if (wins) { best[lane] = best[other]; best_at[lane] = best_at[other]; }
    }
  }
  workgroupBarrier();
  return workgroupUniformLoad(&best_at[0]);
}

// The largest key such that the amount of keys not below it reaches `wanted`: a radix descent over four bytes. A token
// counts 1, or its share of the mass in units of 2^-31 when `by_mass`; integers, so the order of adding is no matter.
fn threshold(first: u32, wanted: u32, floor_key: u32, by_mass: bool, top: f32, mass: f32, lane: u32) -> u32 {
  var prefix = 0u;
  var above = 0u;
  for (var shift = 24i; shift >= 0i; shift -= 8i) {
    for (var i = lane; i < 256u; i += WG) { atomicStore(&bins[i], 0u); }
    workgroupBarrier();
    for (var i = lane; i < VOCABULARY; i += WG) {
      let v = logits[first + i];
      let key = key_of(v);
      if (key < floor_key || (shift < 24i && (key >> u32(shift + 8i)) != (prefix >> u32(shift + 8i)))) { continue; }
      let amount = select(1u, u32(exp(v - top) / mass * 0x1p31), by_mass);
      atomicAdd(&bins[(key >> u32(shift)) & 255u], amount);
    }
    workgroupBarrier();
    if (lane == 0u) {
      var sum = above;
      var bin = 255u;
      while (bin > 0u && sum + atomicLoad(&bins[bin]) < wanted) {
        sum += atomicLoad(&bins[bin]);
        bin--;
      }
      chosen = vec2u(bin, sum);
    }
    let found = workgroupUniformLoad(&chosen);
    prefix |= found.x << u32(shift);
    above = found.y;
  }
  return max(prefix, floor_key);
}

fn mass_above(first: u32, floor_key: u32, top: f32, lane: u32) -> f32 {
  var sum = 0.0;
  for (var i = lane; i < VOCABULARY; i += WG) {
    let v = logits[first + i];
    if (key_of(v) >= floor_key) { sum += exp(v - top); }
  }
  best[lane] = sum;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { best[lane] += best[lane + half]; }
  }
  workgroupBarrier();
  return workgroupUniformLoad(&best[0]);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let pick = picks[group.x];
  let s = settings[pick.y];
  let first = group.x * VOCABULARY;
  var value = -3.0e38;
  var token = 0u;
  for (var i = lane; i < VOCABULARY; i += WG) {
    let v = penalised(logits[first + i], counts[pick.y * VOCABULARY + i], s);
    logits[first + i] = v;
    if (v > value) { value = v; token = i; }
  }
  var choice = highest(value, token, lane);
  if (s.temperature > 0.0) {
    storageBarrier();
    let top = workgroupUniformLoad(&best[0]);
    var floor_key = 0u;
    if (s.min_p > 0.0) { floor_key = key_of(top + log(s.min_p)); }
    var kept = 0u;
    if (s.top_k > 0u && s.top_k < VOCABULARY) { kept = threshold(first, s.top_k, 0u, false, top, 1.0, lane); }
    if (s.top_p < 1.0) {
      let mass = mass_above(first, kept, top, lane);
      kept = threshold(first, u32(s.top_p * 0x1p31), kept, true, top, mass, lane);
    }
    floor_key = max(floor_key, kept);
    let position = next[pick.x].y;
    value = -3.0e38;
    token = 0u;
    for (var i = lane; i < VOCABULARY; i += WG) {
      let v = logits[first + i];
      if (key_of(v) < floor_key) { continue; }
      let drawn = v - log(-log(uniform_of(s.seed, position, i)));
      if (drawn > value) { value = drawn; token = i; }
    }
    choice = highest(value, token, lane);
  }
  if (lane == 0u) {
    let row = next[pick.x];
    ids[group.x] = choice;
    let position = row.y + 1u;
    let page = page_table[row.z * MAX_PAGES + min(position / 16u, MAX_PAGES - 1u)];
    next[pick.x] = vec4u(choice, position, row.z, page * 16u + position % 16u + 1u);
    counts[pick.y * VOCABULARY + choice] += 1u;
  }
}
