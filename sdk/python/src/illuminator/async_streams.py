"""Answers as they are made, in an event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import Callable, Optional

import anyio
import httpx
from typing_extensions import Self

from illuminator._calls import Call
from illuminator._closing import AsyncClosing
from illuminator._reading import Item
from illuminator._told import Told


class AsyncStream(Told[Item], AsyncIterator[Item], AsyncClosing):
    """An answer as it is made.

    The request is sent when the first item is asked for, or an ``async with`` block entered. Leave
    it early with :meth:`close`, by the end of the ``async with`` block, by cancelling the task or
    by dropping it: the connection is closed and the server stops working.
    """

    def __init__(
        self,
        call: Call[Item],
        opener: Callable[[Call[Item]], Awaitable[httpx.Response]],
        seconds: Optional[float],
        on_end: Optional[Callable[[str], None]] = None,
    ) -> None:
        super().__init__(call, seconds, on_end)
        self._open: Callable[[], Awaitable[httpx.Response]] = lambda: opener(call)
        self._chunks: Optional[AsyncGenerator[bytes, None]] = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        while not self._closed:
            item = await self._step()
            if item is not None:
                return item
        raise StopAsyncIteration

    async def _step(self) -> Optional[Item]:
        """The next item; without one, some more bytes are in, or the stream is over."""
        try:
            item = self._reading.take()
            if item is not None:
                return item
            if self._reading.is_done:
                await self._finish(well=True)
                return None
            await self._read()
        except httpx.RequestError as thrown:
            if self._closed:
                return None
            await self._finish(well=False)
            raise self._failed(thrown) from thrown
        except BaseException as error:
            await self._finish(well=False)
            self._name(error)
            raise
        return None

    async def _read(self) -> None:
        chunks = await self._opened()
        self._waits = True
        try:
            with anyio.fail_after(self._deadline.remaining):
                chunk = await chunks.__anext__()
        except StopAsyncIteration:
            if not self._closed:
                self._reading.end()
            return
        except TimeoutError:
            raise self._deadline.error() from None
        finally:
            self._waits = False
        self._reading.feed(chunk)

    async def _opened(self) -> AsyncGenerator[bytes, None]:
        if self._chunks is None:
            response = await self._open()
            self._begin(response)
            self._chunks = _async_chunks(response)
            await self._chunks.__anext__()
            self._reading.begin(response)
        return self._chunks

    async def _finish(self, *, well: bool) -> None:
        self._closed = True
        # A task that is cancelled still closes its connection.
        with anyio.CancelScope(shield=True):
            if self._chunks is not None:
                if self._waits and self._response is not None:
                    await self._response.aclose()
                else:
                    await self._chunks.aclose()
        self._tell_end(well=well)

    async def read(self) -> str:
        """Takes what is left and gives the whole text."""
        async for _ in self:
            pass
        return self.text

    async def close(self) -> None:
        """Ends the stream here and there. Safe to repeat, and from another task."""
        await self._finish(well=True)

    aclose = close

    async def __aenter__(self) -> Self:
        if not self._closed:
            try:
                await self._opened()
            except BaseException:
                await self._finish(well=False)
                raise
        return self


async def _async_chunks(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """First nothing, then the body's bytes; closes the response however it is left."""
    try:
        yield b""
        async for chunk in response.aiter_bytes():
            yield chunk
    finally:
        with anyio.CancelScope(shield=True):
            await response.aclose()
