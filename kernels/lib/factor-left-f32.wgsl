// Rows come times the weights of an RMS norm; what is left of it lies behind the columns.
fn row_factor(row: u32, own: u32) -> f32 { return x[row * X_ROW + KB * 8u].x; }
