"""A stream left in any way closes its connection."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from typing import Callable

import anyio
import pytest

from clients import client_of
from illuminator import AsyncIlluminatorClient, Stream, StreamToken
from raw_server import STREAM_HEAD, THREE, Connection, chunk, serving, streaming, token


class Watched:
    """Sends one token, then tells whether the client leaves."""

    def __init__(self) -> None:
        self.left: list[bool] = []
        self.over = threading.Event()

    def __call__(self, connection: Connection) -> None:
        connection.send(STREAM_HEAD, chunk(token("one", 0)))
        self.left.append(connection.is_left())
        self.over.set()

    def was_left(self) -> bool:
        assert self.over.wait(10)
        return self.left == [True]


def leave_by_close(stream: Stream[StreamToken]) -> None:
    next(stream)
    stream.close()
    stream.close()
    assert list(stream) == []


def leave_by_block(stream: Stream[StreamToken]) -> None:
    with stream as entered:
        assert next(entered).text == "one"


def leave_by_exception(stream: Stream[StreamToken]) -> None:
    with pytest.raises(KeyError), stream:
        next(stream)
        raise KeyError


def leave_by_dropping(stream: Stream[StreamToken]) -> None:
    next(stream)


@pytest.mark.parametrize(
    "leave", [leave_by_close, leave_by_block, leave_by_exception, leave_by_dropping]
)
def test_leaving_a_stream_closes_its_connection(
    leave: Callable[[Stream[StreamToken]], None],
) -> None:
    watched = Watched()
    with client_of(watched) as (_, client):
        leave(client.generate_stream("x"))
        gc.collect()
        assert watched.was_left()


def test_breaking_out_of_a_loop_closes_its_connection() -> None:
    watched = Watched()
    with client_of(watched) as (_, client):
        for one in client.generate_stream("x"):
            assert one.text == "one"
            break
        gc.collect()
        assert watched.was_left()


def test_a_stream_that_is_closed_before_it_begins_sends_nothing() -> None:
    with client_of(streaming(THREE)) as (server, client):
        stream = client.generate_stream("x")
        stream.close()
        assert list(stream) == []
        assert stream.text == ""
        assert server.requests == []


def test_another_thread_may_close_a_stream_that_waits() -> None:
    watched = Watched()
    with client_of(watched) as (_, client):
        stream = client.generate_stream("x")
        assert next(stream).text == "one"
        closer = threading.Timer(0.2, stream.close)
        closer.start()
        assert list(stream) == []
        closer.join()
        assert watched.was_left()


def test_a_signal_handler_may_close_a_stream_that_waits() -> None:
    watched = Watched()
    with client_of(watched) as (_, client):
        stream = client.generate_stream("x")
        assert next(stream).text == "one"
        before = signal.signal(signal.SIGALRM, lambda *_: stream.close())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            assert list(stream) == []
        finally:
            signal.signal(signal.SIGALRM, before)
        assert watched.was_left()


async def test_cancelling_closes_the_connection() -> None:
    watched = Watched()
    with serving(watched) as server:
        async with AsyncIlluminatorClient(base_url=server.url) as client:
            with anyio.move_on_after(0.3) as scope:
                async for one in client.generate_stream("x"):
                    assert one.text == "one"
            assert scope.cancelled_caught
            assert await anyio.to_thread.run_sync(watched.was_left)


def test_cancelling_a_task_of_asyncio_closes_the_connection() -> None:
    watched = Watched()

    async def main(url: str) -> None:
        async with AsyncIlluminatorClient(base_url=url) as client:
            seen = asyncio.Event()

            async def read() -> None:
                async for _ in client.generate_stream("x"):
                    seen.set()

            task = asyncio.create_task(read())
            await asyncio.wait_for(seen.wait(), 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(watched.was_left)

    with serving(watched) as server:
        asyncio.run(main(server.url))


async def test_cancelling_a_whole_answer_closes_the_connection() -> None:
    left: list[bool] = []

    def handle(connection: Connection) -> None:
        left.append(connection.is_left())

    with serving(handle) as server:
        async with AsyncIlluminatorClient(base_url=server.url) as client:
            with anyio.move_on_after(0.2) as scope:
                await client.generate("x")
            assert scope.cancelled_caught
            await anyio.sleep(0.2)
    assert left == [True]


async def test_the_ways_out_of_an_async_stream_close_the_connection() -> None:
    by_block, by_close, by_break = Watched(), Watched(), Watched()
    with serving(by_block, by_close, by_break) as server:
        async with AsyncIlluminatorClient(base_url=server.url) as client:
            async with client.generate_stream("x") as stream:
                assert (await stream.__anext__()).text == "one"
            assert await anyio.to_thread.run_sync(by_block.was_left)
            stream = client.generate_stream("x")
            await stream.__anext__()
            await stream.close()
            await stream.aclose()
            assert [one async for one in stream] == []
            assert await anyio.to_thread.run_sync(by_close.was_left)
            async for one in client.generate_stream("x"):
                assert one.text == "one"
                break
            gc.collect()
            await anyio.lowlevel.checkpoint()
            assert await anyio.to_thread.run_sync(by_break.was_left)


async def test_another_task_may_close_an_async_stream_that_waits() -> None:
    watched = Watched()
    with serving(watched) as server:
        async with AsyncIlluminatorClient(base_url=server.url) as client:
            stream = client.generate_stream("x")
            assert (await stream.__anext__()).text == "one"

            async def close() -> None:
                await anyio.sleep(0.1)
                await stream.close()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(close)
                assert [one async for one in stream] == []
            assert await anyio.to_thread.run_sync(watched.was_left)
