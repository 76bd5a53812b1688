"""Server-sent events, however their bytes arrive."""

from __future__ import annotations

import re
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from illuminator._sse import EventTooLargeError, ServerSentEvent, SseDecoder


def decode(*pieces: bytes) -> list[ServerSentEvent]:
    decoder = SseDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


def reference(stream: bytes) -> list[ServerSentEvent]:
    """The standard's algorithm, over the whole stream at once."""
    text = stream.decode("utf-8", "replace")
    text = text.removeprefix("\ufeff")
    lines = re.split("\r\n|\r|\n", text)[:-1]
    events: list[ServerSentEvent] = []
    data: list[str] = []
    name, identity = "", ""
    retry: Optional[int] = None
    for line in lines:
        if line == "":
            if data:
                events.append(ServerSentEvent("\n".join(data), name or "message", identity, retry))
            data, name, retry = [], "", None
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            identity = value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            retry = int(value)
    return events


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[start:end] for start, end in zip(ends, ends[1:])]


line_ends = st.sampled_from(["\n", "\r", "\r\n"])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
lines = st.one_of(
    st.just(""),
    st.builds("data: {}".format, texts),
    st.builds("data:{}".format, texts),
    st.builds(": {}".format, texts),
    st.builds("event: {}".format, texts),
    st.builds("id: {}".format, texts),
    st.builds("retry: {}".format, st.one_of(st.integers(0, 99).map(str), texts)),
    texts,
)
streams = st.lists(st.tuples(lines, line_ends), max_size=14).map(
    lambda pairs: "".join(line + end for line, end in pairs).encode()
)
garbage = st.lists(
    st.sampled_from([b"data:", b" ", b"\r", b"\n", b":", b"\xf0\x9f", b"\xef\xbb\xbf", b"x"])
).map(b"".join)


@given(st.one_of(streams, garbage), st.lists(st.integers(0, 300)))
def test_events_are_those_of_the_standard_wherever_the_bytes_are_cut(
    stream: bytes, places: list[int]
) -> None:
    assert decode(*cut(stream, places)) == reference(stream)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
def test_any_bytes_are_decoded_as_the_standard_says(stream: bytes, places: list[int]) -> None:
    assert decode(*cut(stream, places)) == reference(stream)


def test_every_byte_by_itself() -> None:
    stream = "\ufeffdata: é💡\r\n\r\n: keep-alive\r\n\r\ndata: a\rdata: b\r\rdata: c\n\n".encode()
    events = decode(*(bytes([byte]) for byte in stream))
    assert [event.data for event in events] == ["é💡", "a\nb", "c"]


def test_a_crlf_in_two_pieces_is_one_line_end() -> None:
    assert [event.data for event in decode(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n")] == [
        "a\nb"
    ]


def test_an_event_is_there_as_soon_as_its_blank_line() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: a\r\n") == []
    assert [event.data for event in decoder.feed(b"\r")] == ["a"]
    assert decoder.feed(b"\n") == []


def test_what_the_last_blank_line_does_not_end_is_no_event() -> None:
    assert decode(b"data: whole\n\ndata: half\n") == [ServerSentEvent("whole")]


def test_one_space_after_the_colon_is_dropped_and_no_more() -> None:
    assert [event.data for event in decode(b"data:  a\n\ndata:b\n\ndata\n\n")] == [" a", "b", ""]


def test_names_ids_and_retries() -> None:
    (first, second) = decode(b"event: error\nid: 7\nretry: 20\ndata: x\n\ndata: y\n\n")
    assert first == ServerSentEvent("x", "error", "7", 20)
    # The id stays, the name does not.
    assert second == ServerSentEvent("y", "message", "7", None)


def test_a_stream_without_line_ends_does_not_fill_the_memory() -> None:
    decoder = SseDecoder(max_event_bytes=100)
    with pytest.raises(EventTooLargeError, match="100 bytes"):
        for _ in range(11):
            decoder.feed(b"0123456789")
    many = SseDecoder(max_event_bytes=100)
    with pytest.raises(EventTooLargeError):
        for _ in range(30):
            many.feed(b"data: 0123456789\n")
    small = SseDecoder(max_event_bytes=100)
    assert sum(len(small.feed(b"data: 0123456789\n\n")) for _ in range(1000)) == 1000


@given(st.integers(1, 40))
def test_long_events_in_small_pieces_cost_no_more_than_their_bytes(size: int) -> None:
    stream = b"data: " + b"x" * 5000 + b"\n\n"
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert len(decode(*pieces)[0].data) == 5000
