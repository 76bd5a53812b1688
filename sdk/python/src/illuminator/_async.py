"""Sends calls and tries again, waiting in the event loop: asyncio's or trio's."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Callable, Optional, TypeVar

import anyio
import httpx

from illuminator._calls import Call, Model
from illuminator._errors import error_of_answer, error_of_exception
from illuminator._exchange import (
    LIMITS,
    REQUEST_ID,
    Deadline,
    httpx_timeout,
    parsed,
    request_of,
    tell_retry,
    timeout_of,
)
from illuminator._reading import Item
from illuminator._retry import NOT_SENT, Backoff, may_retry
from illuminator.async_streams import AsyncStream
from illuminator.config import Config
from illuminator.exceptions import IlluminatorError

Result = TypeVar("Result")


class AsyncTransport:
    """A pool of connections under a configuration."""

    def __init__(self, config: Config, http_client: Optional[httpx.AsyncClient] = None) -> None:
        self.config = config
        self._owned = http_client is None
        self._http = http_client or httpx.AsyncClient(limits=LIMITS)

    def share(self, config: Config) -> AsyncTransport:
        """The same connections under another configuration."""
        other = AsyncTransport(config, self._http)
        other._owned = self._owned
        return other

    async def send(self, call: Call[Model]) -> Model:
        """The whole answer.

        Raises:
            IlluminatorError
        """
        return await self._attempt(call, self._whole, streams=False)

    def stream(
        self, call: Call[Item], on_end: Optional[Callable[[str], None]] = None
    ) -> AsyncStream[Item]:
        """The answer as it comes; nothing is sent yet."""
        return AsyncStream(call, self._open, timeout_of(self.config, call).stream, on_end)

    async def close(self) -> None:
        if self._owned:
            await self._http.aclose()

    async def _open(self, call: Call[Item]) -> httpx.Response:
        async def as_it_is(_call: Call[Item], response: httpx.Response) -> httpx.Response:
            return response

        return await self._attempt(call, as_it_is, streams=True)

    @staticmethod
    async def _whole(call: Call[Model], response: httpx.Response) -> Model:
        content = await _read(response)
        await response.aclose()
        return parsed(call, response, content)

    async def _attempt(
        self,
        call: Call[Model],
        finish: Callable[[Call[Model], httpx.Response], Awaitable[Result]],
        *,
        streams: bool,
    ) -> Result:
        timeout = timeout_of(self.config, call)
        deadline = Deadline(timeout.total)
        backoff = Backoff(self.config)
        arguments = request_of(self.config, call, streams=streams)
        error: IlluminatorError
        while True:
            limits = httpx_timeout(timeout, deadline, streams=streams)
            try:
                # No yield in here: a cancel scope must not be left open in between.
                with anyio.move_on_after(deadline.remaining) as scope:
                    return await self._once(call, arguments, limits, finish)
                error, sent = (deadline.error(), True)
            except httpx.RequestError as thrown:
                error = error_of_exception(thrown, arguments["url"])
                error.__cause__ = thrown
                sent = not isinstance(thrown, NOT_SENT)
            except IlluminatorError as refused:
                error, sent = refused, True
            error.request_id = error.request_id or arguments["headers"][REQUEST_ID]
            wait = None
            if not scope.cancelled_caught and may_retry(
                error, repeatable=call.repeatable, sent=sent
            ):
                wait = backoff.wait(error, deadline.remaining)
            if wait is None:
                raise error
            tell_retry(call, error, wait)
            await anyio.sleep(wait)

    async def _once(
        self,
        call: Call[Model],
        arguments: dict[str, Any],
        limits: httpx.Timeout,
        finish: Callable[[Call[Model], httpx.Response], Awaitable[Result]],
    ) -> Result:
        response = await self._answer(call, arguments, limits)
        try:
            return await finish(call, response)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await response.aclose()
            raise

    async def _answer(
        self, call: Call[Any], arguments: dict[str, Any], limits: httpx.Timeout
    ) -> httpx.Response:
        """An answer that says yes; its body is still to be read."""
        request = self._http.build_request(timeout=limits, **arguments)
        response = await self._http.send(request, stream=True, follow_redirects=False)
        if response.is_success or response.status_code in call.accepted:
            return response
        try:
            content = await _read(response)
        except httpx.RequestError:
            # Its status says enough.
            content = b""
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()
        raise error_of_answer(response, content)


async def _read(response: httpx.Response) -> bytes:
    return b"".join([part async for part in response.aiter_bytes()])
