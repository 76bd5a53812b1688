// Rows come as they are.
fn row_factor(row: u32, own: u32) -> f32 { return 1.0; }
