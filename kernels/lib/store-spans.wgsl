// Where the values of a span go: to y where a row has no other; with those before where a workgroup takes all; else aside.
struct Turn { row: u32, head: u32, span: u32, spans: vec2u, one: Softmax, by: Joined, }

// What a span begins with: a sink counts among the last keys of a row.
fn first_of(span: u32, length: u32, head: u32, lane: Lane) -> Softmax {
  if (span != spans_of(length).y) { return Softmax(LOWEST, 0.0); }
  return Softmax(first_top(head), first_sum(lane));
}

// `all`: what the spans before come to.
fn turn_of(row: u32, head: u32, span: u32, length: u32, all: Softmax, one: Softmax) -> Turn {
  let spans = spans_of(length);
  var before = all;
  if (span <= spans.x) { before = Softmax(LOWEST, 0.0); }
  return Turn(row, head, span, spans, one, join(before, one));
}

fn store_span(turn: Turn, is_apart: bool, chunk: u32, a: vec4f, b: vec4f) {
  let begin = turn.spans.x;
  let to = turn.spans.y;
  if (turn.span < begin || turn.span > to) { return; }
  if (begin == to) {
    store_chunk(turn.row, turn.head, chunk, a, b);
  } else if (is_apart) {
    let at = partial_at(turn.row, turn.head, turn.span - begin);
    if (chunk == 0u) { partials[at] = vec4f(turn.one.top, turn.one.sum, 0.0, 0.0); }
    if (chunk >= CHUNKS) { return; }
    partials[at + 1u + 2u * chunk] = a;
    partials[at + 2u + 2u * chunk] = b;
  } else {
    var before = array(vec4f(), vec4f());
    if (turn.span > begin) { before = load_chunk(turn.row, turn.head, chunk); }
    let whole = select(1.0, 1.0 / turn.by.all.sum, turn.span == to);
    let low = blend(turn.by, a, before[0]) * whole;
    store_chunk(turn.row, turn.head, chunk, low, blend(turn.by, b, before[1]) * whole);
  }
}

struct Place { row: u32, kv: u32, first: u32, live: u32, span: u32, is_apart: bool, }

// A span of all queries: their octets meet, and what they come to goes where it belongs. The loops are not unrolled.
fn end_span(
  place: Place,
  ends: ptr<function, array<Softmax, QUERIES>>,
  values: ptr<function, array<vec4f, VECTORS>>,
  all: ptr<function, array<Softmax, QUERIES>>,
  lane: Lane,
) {
  for (var i = 0u; i < opaque(QUERIES); i++) {
    let query = min(place.first + i, place.live - 1u);
    let row = place.row + query / GROUP;
    let own = ends[i].top;
    let one = whole_of(own, octet_add(i, ends[i].sum, lane), lane);
    let turn = turn_of(row, place.kv * GROUP + query % GROUP, place.span, rows[row].y + 1u, all[i], one);
    all[i] = turn.by.all;
    let factor = factor_of(own, one);
    for (var h = 0u; h < opaque(HOLD); h++) {
      let a = over_octets(values[(i * HOLD + h) * 2u] * factor, lane);
      let b = over_octets(values[(i * HOLD + h) * 2u + 1u] * factor, lane);
      let is_mine = lane.local.y == 0u && place.first + i < place.live;
      if (is_mine) { store_span(turn, place.is_apart, h * 8u + lane.local.x, a, b); }
    }
  }
}
