// Quads that exchanged by shuffles wait for nobody.
fn settle(lane: Lane) { leave_quad(kept(lane)); }
