"""Streams whose bytes come in pieces, broken, or with errors among them."""

from __future__ import annotations

import asyncio
import threading

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clients import client_of
from illuminator import (
    APIConnectionError,
    APITimeoutError,
    AsyncIlluminatorClient,
    AuthenticationError,
    IlluminatorError,
    InvalidResponseError,
    OverloadedError,
    ServerError,
    StreamInterruptedError,
    StreamToken,
)
from raw_server import (
    DONE,
    LAST_CHUNK,
    STREAM_HEAD,
    THREE,
    Connection,
    Handler,
    chunk,
    event,
    serving,
    streaming,
    token,
    whole,
)


def tokens_of(*handlers: Handler) -> list[StreamToken]:
    with client_of(*handlers) as (_, client):
        return list(client.generate_stream("x"))


def test_a_stream_gives_tokens_then_their_sum() -> None:
    with client_of(streaming(b": hello\n\n", THREE)) as (server, client):
        stream = client.generate_stream("Once", max_tokens=3, stop_sequences=["."])
        assert server.requests == []
        assert [(one.text, one.index) for one in stream] == [
            ("one", 0),
            (" two", 1),
            (" three 💡", 2),
        ]
        assert stream.text == "one two three 💡"
        assert stream.finish_reason == "stop"
        assert stream.usage is not None
        assert stream.usage.completion_tokens == 3
        assert stream.request_id == "req_stream"
        assert list(stream) == []
        (request,) = server.requests
    assert request.json() == {
        "prompt": "Once",
        "max_tokens": 3,
        "stop_sequences": ["."],
        "stream": True,
    }
    assert request.headers["accept"] == "text/event-stream"


def test_the_async_stream_is_the_same() -> None:
    async def main() -> None:
        with serving(streaming(THREE)) as server:
            async with AsyncIlluminatorClient(base_url=server.url) as client:
                stream = client.generate_stream("Once")
                assert [one.token async for one in stream] == ["one", " two", " three 💡"]
                assert (stream.text, stream.finish_reason) == ("one two three 💡", "stop")

    asyncio.run(main())


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, len(THREE) - 1), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]))
def test_wherever_the_bytes_are_cut(places: list[int], end: str) -> None:
    stream = THREE.replace(b"\n", end.encode())
    ends = sorted({0, *(place for place in places if place < len(stream)), len(stream)})
    pieces = [stream[start:stop] for start, stop in zip(ends, ends[1:])]
    assert "".join(one.text for one in tokens_of(streaming(*pieces))) == "one two three 💡"


def test_byte_by_byte_with_signs_of_life() -> None:
    stream = b": keep-alive\r\n\r\n" + THREE.replace(b"\n", b"\r\n")
    pieces = [stream[at : at + 1] for at in range(len(stream))]
    assert [one.text for one in tokens_of(streaming(*pieces))] == ["one", " two", " three 💡"]


def test_tokens_are_there_when_they_are_sent() -> None:
    goes_on = threading.Event()

    def handle(connection: Connection) -> None:
        connection.send(STREAM_HEAD, chunk(token("one", 0)))
        assert goes_on.wait(10)
        connection.send(chunk(token(" two", 1, finish_reason="stop") + DONE), LAST_CHUNK)

    with client_of(handle) as (_, client):
        stream = client.generate_stream("x")
        assert next(stream).text == "one"
        goes_on.set()
        assert next(stream).text == " two"
        assert list(stream) == []


def test_nothing_is_waited_for_after_the_end() -> None:
    stalls = threading.Event()

    def handle(connection: Connection) -> None:
        connection.send(STREAM_HEAD, chunk(THREE))
        stalls.wait(10)

    with client_of(handle) as (_, client):
        assert client.generate_stream("x").read() == "one two three 💡"
        stalls.set()


CUT_SHORT = "not the whole answer"


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(streaming(token("one", 0)), id="ends without [DONE]"),
        pytest.param(streaming(token("one", 0), ends=False), id="closes in the middle"),
        pytest.param(streaming(token("one", 0) + b'data: {"tok', ends=False), id="within a frame"),
    ],
)
def test_a_stream_that_breaks_off_is_an_error_after_what_came(handler: Handler) -> None:
    def handle(connection: Connection) -> None:
        handler(connection)
        connection.close()

    with client_of(handle) as (_, client):
        stream = client.generate_stream("x")
        assert next(stream).text == "one"
        with pytest.raises(StreamInterruptedError, match=CUT_SHORT) as caught:
            next(stream)
        assert isinstance(caught.value, APIConnectionError)
        assert caught.value.request_id == "req_stream"
        assert stream.text == "one"
        assert list(stream) == []


def test_a_reset_connection_is_one_too() -> None:
    sent = threading.Event()

    def handle(connection: Connection) -> None:
        connection.send(STREAM_HEAD, chunk(token("one", 0)))
        assert sent.wait(10)
        connection.reset()

    with client_of(handle) as (_, client):
        stream = client.generate_stream("x")
        assert next(stream).text == "one"
        sent.set()
        with pytest.raises(StreamInterruptedError):
            next(stream)


async def test_the_async_stream_breaks_off_alike() -> None:
    def handle(connection: Connection) -> None:
        connection.send(STREAM_HEAD, chunk(token("one", 0)))
        connection.close()

    with serving(handle) as server:
        async with AsyncIlluminatorClient(base_url=server.url) as client:
            stream = client.generate_stream("x")
            assert (await stream.__anext__()).text == "one"
            with pytest.raises(StreamInterruptedError, match=CUT_SHORT):
                await stream.read()
            assert len(server.requests) == 1


def error_frame(kind: str, code: str) -> bytes:
    error = {"type": kind, "code": code, "message": "Why.", "param": None, "request_id": "req_e"}
    return event({"error": error})


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (error_frame("model_error", "draining"), OverloadedError),
        (error_frame("timeout_error", "timeout"), APITimeoutError),
        (error_frame("server_error", "internal_error"), ServerError),
        (b"event: error\ndata: Broken.\n\n", ServerError),
    ],
)
def test_an_error_in_the_middle_is_raised_after_what_came(
    frame: bytes, kind: type[IlluminatorError]
) -> None:
    with client_of(streaming(token("one", 0) + frame)) as (_, client):
        stream = client.generate_stream("x")
        assert next(stream).text == "one"
        with pytest.raises(kind) as caught:
            next(stream)
        assert type(caught.value) is kind
        assert caught.value.message in {"Why.", "Broken."}
        assert caught.value.request_id in {"req_e", "req_stream"}


def test_a_text_that_speaks_of_errors_is_a_text() -> None:
    frame = token('{"error": 1}', 0, finish_reason="stop")
    assert [one.text for one in tokens_of(streaming(frame + DONE))] == ['{"error": 1}']


@pytest.mark.parametrize(
    "frame", [b"data: {nonsense\n\n", b"data: {}\n\n", b'data: {"token": 5, "index": 0}\n\n']
)
def test_frames_that_are_none_are_told_of(frame: bytes) -> None:
    with pytest.raises(InvalidResponseError, match="no StreamToken") as caught:
        tokens_of(streaming(frame + DONE))
    assert caught.value.request_id == "req_stream"


def test_an_answer_that_is_no_stream_is_told_of() -> None:
    with pytest.raises(InvalidResponseError, match="expected text/event-stream"):
        tokens_of(whole())


def test_a_refusal_is_raised_where_the_stream_begins() -> None:
    error = {"type": "authentication_error", "code": "invalid_api_key", "message": "Who?"}
    with client_of(whole(401, {"error": error})) as (_, client):
        stream = client.generate_stream("x")
        with pytest.raises(AuthenticationError):
            next(stream)
        assert list(stream) == []
        with pytest.raises(AuthenticationError), client.generate_stream("x"):
            raise AssertionError("not reached")


def test_many_threads_share_a_client() -> None:
    with client_of(streaming(THREE)) as (server, client):
        texts: list[str] = []
        threads = [
            threading.Thread(target=lambda: texts.append(client.generate_stream("x").read()))
            for _ in range(24)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert texts == ["one two three 💡"] * 24
        assert len(server.requests) == 24


async def test_many_tasks_share_a_client() -> None:
    with serving(streaming(THREE)) as server:
        async with AsyncIlluminatorClient(base_url=server.url) as client:
            texts: list[str] = []

            async def read() -> None:
                texts.append(await client.generate_stream("x").read())

            async with anyio.create_task_group() as tasks:
                for _ in range(24):
                    tasks.start_soon(read)
            assert texts == ["one two three 💡"] * 24
