"""Answers as they are made. A stream left early takes its connection, and the work, with it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator, Iterator
from typing import Callable, Optional

import httpx
from typing_extensions import Self

from illuminator._calls import Call
from illuminator._closing import Closing
from illuminator._reading import Item
from illuminator._told import Told


class Stream(Told[Item], Iterator[Item], Closing):
    """An answer as it is made.

    The request is sent when the first item is asked for, or a ``with`` block entered. Leave it
    early with :meth:`close`, by the end of the ``with`` block or by dropping it: the connection is
    closed and the server stops working. Another thread may close it, which ends the iteration.
    """

    def __init__(
        self,
        call: Call[Item],
        opener: Callable[[Call[Item]], httpx.Response],
        seconds: Optional[float],
        on_end: Optional[Callable[[str], None]] = None,
    ) -> None:
        super().__init__(call, seconds, on_end)
        self._open: Callable[[], httpx.Response] = lambda: opener(call)
        self._chunks: Optional[Generator[bytes, None, None]] = None
        # Re-entered by a signal handler that closes what it interrupts.
        self._lock = threading.RLock()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        with self._lock:
            while not self._closed:
                item = self._step()
                if item is not None:
                    return item
            raise StopIteration

    def _step(self) -> Optional[Item]:
        """The next item; without one, some more bytes are in, or the stream is over."""
        try:
            item = self._reading.take()
            if item is not None:
                return item
            if self._reading.is_done:
                self._finish(well=True)
                return None
            self._read()
        except httpx.RequestError as thrown:
            if self._closed:
                return None
            self._finish(well=False)
            raise self._failed(thrown) from thrown
        except BaseException as error:
            self._finish(well=False)
            self._name(error)
            raise
        return None

    def _read(self) -> None:
        chunks = self._opened()
        self._waits = True
        try:
            chunk = next(chunks, None)
        finally:
            self._waits = False
        if chunk is None:
            if not self._closed:
                self._reading.end()
            return
        self._reading.feed(chunk)
        self._deadline.check()

    def _opened(self) -> Generator[bytes, None, None]:
        if self._chunks is None:
            response = self._open()
            self._begin(response)
            # Before anything can go wrong: dropping the generator closes the response.
            self._chunks = _chunks(response)
            next(self._chunks)
            self._reading.begin(response)
        return self._chunks

    def _finish(self, *, well: bool) -> None:
        self._closed = True
        if self._chunks is not None:
            if self._waits and self._response is not None:
                self._response.close()
            else:
                self._chunks.close()
        self._tell_end(well=well)

    def read(self) -> str:
        """Takes what is left and gives the whole text."""
        for _ in self:
            pass
        return self.text

    def close(self) -> None:
        """Ends the stream here and there. Safe to repeat, and from any thread."""
        if not self._closed:
            self._closed = True
            if self._response is not None and not self._response.is_closed:
                _interrupt(self._response)
        with self._lock:
            self._finish(well=True)

    def __enter__(self) -> Self:
        with self._lock:
            if not self._closed:
                try:
                    self._opened()
                except BaseException:
                    self._finish(well=False)
                    raise
        return self


def _chunks(response: httpx.Response) -> Generator[bytes, None, None]:
    """First nothing, then the body's bytes; closes the response however it is left."""
    try:
        yield b""
        yield from response.iter_bytes()
    finally:
        response.close()


def _interrupt(response: httpx.Response) -> None:
    """Wakes whoever waits for bytes of the response in another thread: closing alone does not."""
    network = response.extensions.get("network_stream")
    connection = network.get_extra_info("socket") if network is not None else None
    if isinstance(connection, socket.socket):
        # It may just have gone by itself.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
