// A query sees the last WINDOW keys, its own included (Beltagy et al. 2020).
fn first_key(position: u32) -> u32 { return position + 1u - min(position + 1u, WINDOW); }
fn sees(key: u32, length: u32) -> bool { return key < length && key + WINDOW >= length; }
