"""Nobody waits longer than was said."""

from __future__ import annotations

import time

import pytest

from clients import client_of
from illuminator import (
    APITimeoutError,
    AsyncIlluminatorClient,
    IlluminatorClient,
    OverloadedError,
    Timeout,
)
from raw_server import (
    LAST_CHUNK,
    STREAM_HEAD,
    THREE,
    Connection,
    Handler,
    chunk,
    serving,
    token,
    whole,
)


def silent_after(*pieces: bytes) -> Handler:
    def handle(connection: Connection) -> None:
        connection.send(*pieces)
        connection.is_left(within=10)

    return handle


def dripping(pause: float) -> Handler:
    """A sign of life at every pause, and never a token."""

    def handle(connection: Connection) -> None:
        connection.send(STREAM_HEAD)
        for _ in range(100):
            connection.send(chunk(b": \n\n"), pause=pause)

    return handle


def test_silence_in_a_stream_ends_it() -> None:
    handler = silent_after(STREAM_HEAD, chunk(token("one", 0)))
    with client_of(handler, timeout=Timeout(read=0.3)) as (_, client):
        stream = client.generate_stream("x")
        assert next(stream).text == "one"
        began = time.monotonic()
        with pytest.raises(APITimeoutError, match="sign of life") as caught:
            next(stream)
        assert 0.2 < time.monotonic() - began < 5
        assert caught.value.request_id == "req_stream"


def test_signs_of_life_keep_a_stream_that_has_no_limit_of_its_own() -> None:
    def handle(connection: Connection) -> None:
        connection.send(STREAM_HEAD)
        connection.send(*[chunk(b": keep-alive\n\n")] * 8, pause=0.1)
        connection.send(chunk(THREE), LAST_CHUNK)

    limits = Timeout(total=0.4, read=0.4)
    with client_of(handle, timeout=limits) as (_, client):
        assert client.generate_stream("x").read() == "one two three 💡"


def test_a_stream_may_have_a_limit_as_a_whole() -> None:
    late = pytest.raises(APITimeoutError, match=r"timeout of 0\.4 s")
    with client_of(dripping(0.05)) as (_, client), late:
        list(client.generate_stream("x", timeout=Timeout(stream=0.4)))


async def test_an_async_stream_may_have_one_too() -> None:
    with serving(dripping(0.05)) as server:
        async with AsyncIlluminatorClient(base_url=server.url) as client:
            with pytest.raises(APITimeoutError, match=r"timeout of 0\.4 s") as caught:
                await client.generate_stream("x", timeout=Timeout(stream=0.4)).read()
            assert caught.value.request_id == "req_stream"


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(silent_after(), id="silence"),
        pytest.param(silent_after(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"), id="half"),
        pytest.param(
            lambda connection: connection.send(
                b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n", *[b" "] * 100, pause=0.05
            ),
            id="a byte at a time",
        ),
    ],
)
async def test_a_whole_answer_is_waited_for_no_longer_than_its_total(handler: Handler) -> None:
    with serving(handler) as server:
        began = time.monotonic()
        with pytest.raises(APITimeoutError):
            IlluminatorClient(base_url=server.url, timeout=0.5).generate("x")
        assert 0.4 < time.monotonic() - began < 5
        async with AsyncIlluminatorClient(base_url=server.url, timeout=0.5) as client:
            began = time.monotonic()
            with pytest.raises(APITimeoutError):
                await client.generate("x")
            assert 0.4 < time.monotonic() - began < 5


def test_the_total_counts_attempts_and_waits_together() -> None:
    refused = whole(503, {"error": {"type": "model_error", "code": "overloaded"}})
    with serving(refused) as server:
        client = IlluminatorClient(base_url=server.url, timeout=1, retry_delay=0.4, max_retries=50)
        began = time.monotonic()
        with pytest.raises(OverloadedError):
            client.generate("x")
        assert time.monotonic() - began < 1.5
        assert 2 <= len(server.requests) <= 6


def test_a_call_may_have_a_timeout_of_its_own() -> None:
    with client_of(silent_after()) as (_, client), pytest.raises(APITimeoutError):
        client.generate("x", timeout=0.2)
