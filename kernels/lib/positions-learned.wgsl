// The position has an embedding of its own: positions [positions, KB * 32] f32.
@group(0) @binding(3) var<storage, read> positions: array<vec4f>;
fn placed(v: vec4f, position: u32, i: u32) -> vec4f { return v + positions[position * KB * 8u + i]; }
