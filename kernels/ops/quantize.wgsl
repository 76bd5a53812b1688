// Rows of floats → codes of BITS bits, and an f16 scale and bias for each GROUP of columns: w ≈ scale * q + bias, with the
// least squared error that a short search finds: the range of the group and a wider or narrower one, each refitted
// by least squares. One invocation a group; quantize-oracle.ts has the same arithmetic in the same order.
//   source [rows, columns] as in the checkpoint, columns a multiple of GROUP
//   job (columns / 32, rows, first block of rows to write, place in faults)
//   faults: 1 where the rows hold a value that is not finite or that f16 cannot hold
// Its bits do not depend on the adapter: exact.wgsl says how.
@group(0) @binding(0) var<storage, read> source: array<vec4u>;
@group(0) @binding(1) var<storage, read> job: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> faults: array<atomic<u32>>;

const RUNS = GROUP / 4u; // of four values
const N = f32(GROUP);
const TOP = f32((1u << BITS) - 1u);
var<private> v: array<vec4f, RUNS>;
var<private> first: u32; // unit of 16 bytes of the source
const PER_UNIT = 4u / SOURCE_BYTES; // runs of four values a unit holds

// Four values of the group.
fn values_of(run: u32) -> vec4f {
  let unit = source[first + run / PER_UNIT];
  if (SOURCE_BYTES == 4u) { return bitcast<vec4f>(unit); }
  let pair = select(unit.xy, unit.zw, run % 2u == 1u);
  if (SOURCE_F16 == 1u) { return vec4f(unpack2x16float(pair.x), unpack2x16float(pair.y)); }
  return bitcast<vec4f>(vec4u(pair.x << 16u, pair.x & 0xffff0000u, pair.y << 16u, pair.y & 0xffff0000u));
}

fn pack(scale: f32, bias: f32) -> u32 { return half_of(scale) | (half_of(bias) << 16u); }

struct Line { scale: f32, bias: f32, inverse: f32 }
fn line_of(word: u32) -> Line {
  let scale = float_of(word & 0xffffu);
  var inverse = 0.0;
  if (scale > 0.0) { inverse = reciprocal(scale); }
  return Line(scale, float_of(word >> 16u), inverse);
}
fn codes(line: Line, x: vec4f) -> vec4f {
  return clamp(round((x - line.bias) * line.inverse), vec4f(0.0), vec4f(TOP));
}

// The range of the group, or one a little wider or narrower.
fn first_line(low: f32, range: f32, start: u32) -> u32 {
  var step = range * STEP_0;
  var bias = low;
  if (start == 1u) {
    step = range * STEP_1;
    bias = low + range * MARGIN_1;
  }
  return pack(select(step, max(step, 1.0 / 16777216.0), range > 0.0), bias);
}

struct Fit { error: f32, next: u32 }
// The squared error of a line, and the line that fits its codes best.
fn try_line(word: u32) -> Fit {
  let line = line_of(word);
  var error = vec4f(0.0);
  var e_sum = vec4f(0.0);
  var qe_sum = vec4f(0.0);
  var q_sum = vec4f(0.0);
  var qq_sum = vec4f(0.0);
  for (var run = 0u; run < RUNS; run++) {
    let q = codes(line, v[run]);
    let e = cut4((v[run] - line.bias) - line.scale * q);
    error += e * e;
    e_sum += e;
    qe_sum += q * e;
    q_sum += q;
    qq_sum += q * q;
  }
  let q = sum4(q_sum);
  let e = sum4(e_sum);
  let q_all = u32(q);
  let spread = GROUP * u32(sum4(qq_sum)) - q_all * q_all;
  if (spread == 0u) { return Fit(sum4(error), word); }
  let more = cut((N * sum4(qe_sum) - cut(q * e)) * reciprocal(cut_whole(spread)));
  let scale_half = half_of(max(line.scale + more, 0.0));
  let bias = line.bias + (e - cut((float_of(scale_half) - line.scale) * q)) / N;
  return Fit(sum4(error), scale_half | (half_of(bias) << 16u));
}

// Codes of a run of four, read again: there is no index into v but a constant one.
fn bits_of(line: Line, run: u32) -> u32 {
  let q = vec4u(codes(line, values_of(run)));
  return q.x | (q.y << BITS) | (q.z << (2u * BITS)) | (q.w << (3u * BITS));
}

@compute @workgroup_size(BLOCK_ROWS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let kb = job[0].x;
  let row = group.y * BLOCK_ROWS + lane;
  // Rows past the last one are those of the last one again, until zeros are stored for them.
  first = (min(row, job[0].y - 1u) * kb * 32u + group.x * GROUP) / 4u / PER_UNIT;
  var low = vec4f(3.0e38);
  var high = vec4f(-3.0e38);
  var worst = vec4u(0u);
  for (var run = 0u; run < RUNS; run++) {
    let x = values_of(run);
    v[run] = x;
    low = min(low, x);
    high = max(high, x);
    worst = max(worst, bitcast<vec4u>(x) & vec4u(0x7fffffffu));
  }
  if (any(worst > vec4u(0x477fe000u))) { atomicStore(&faults[job[0].w], 1u); }
  let least = min(min(low.x, low.y), min(low.z, low.w));
  let range = max(max(high.x, high.y), max(high.z, high.w)) - least;
  var best = 0u;
  var best_error = 3.0e38;
  var word = 0u;
  // Rounds are no constant, since compilers unroll short loops whole and take seconds for it.
  let none = select(0u, 1u, kb == 0u);
  for (var i = 0u; i < STARTS * TRIES + none; i++) {
    if (i % TRIES == 0u) { word = first_line(least, range, i / TRIES); }
    let found = try_line(word);
    if (found.error < best_error) {
      best_error = found.error;
      best = word;
    }
    word = found.next;
  }
  let block = job[0].z + group.y;
  let mask = select(0u, 0xffffffffu, row < job[0].y);
  store_affine(kb, block, lane, group.x, best & mask);
  let line = line_of(best);
  const WORDS = GROUP * BITS / 32u;
  for (var i = 0u; i < WORDS + none; i++) {
    var bits = bits_of(line, i * 8u / BITS);
    if (BITS == 4u) { bits |= bits_of(line, i * 2u + 1u) << 16u; }
    store_word(kb, block, lane, group.x * WORDS + i, bits & mask);
  }
}
