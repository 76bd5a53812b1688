// What sampling does to one logit, and its random number; `sampling/` on the CPU holds the same rules.
struct Settings {
  temperature: f32, top_p: f32, min_p: f32, repetition: f32,
  presence: f32, frequency: f32, top_k: u32, seed: u32,
}

fn penalised(value: f32, count: u32, s: Settings) -> f32 {
  var v = value;
  if (count != 0u) { v = select(v * s.repetition, v / s.repetition, v > 0.0); }
  let times = count & 0x7fffffffu;
  if (times > 0u) { v -= s.presence + s.frequency * f32(times); }
  return select(v / s.temperature, v, s.temperature == 0.0);
}

// Orders floats as unsigned integers.
fn key_of(v: f32) -> u32 {
  let bits = bitcast<u32>(v);
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

// PCG3D (Jarzynski and Olano, 2020), first word, as a number inside (0, 1).
fn uniform_of(seed: u32, position: u32, token: u32) -> f32 {
  var v = vec3u(seed, position, token) * 1664525u + 1013904223u;
  v.x += v.y * v.z; v.y += v.z * v.x; v.z += v.x * v.y;
  v ^= v >> vec3u(16u);
  v.x += v.y * v.z; v.y += v.z * v.x; v.z += v.x * v.y;
  return (f32(v.x >> 9u) + 0.5) * 0x1p-23;
}
