// What is told of a block of 32 columns of the residual that is left for an RMS norm: the sum of its squares, and where it
// is left in eight bits the largest magnitude and the sum of its integers. Eight quads of columns are added pair by pair.
struct Block { squares: f32, top: f32, total: f32, }
fn square(v: vec4f) -> f32 { return fma(v.x, v.x, v.y * v.y) + fma(v.z, v.z, v.w * v.w); }
fn inverse_of(top: f32) -> f32 { return select(127.0 / top, 0.0, top < 1.0e-30); }
