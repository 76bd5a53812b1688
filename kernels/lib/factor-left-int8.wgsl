// Rows come times the weights of an RMS norm; what is left of it lies beside the fourth word of the row.
fn row_factor(row: u32, own: u32) -> f32 { return bitcast<f32>(x[row * X_ROW + 3u].y); }
