"""Sends calls and tries again, waiting in the thread."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional, TypeVar

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
from illuminator.config import Config
from illuminator.exceptions import IlluminatorError
from illuminator.streams import Stream

Result = TypeVar("Result")


class _OwnClient(httpx.Client):
    """Closes its connections when nobody holds it any more: short programs seldom do it."""

    def __del__(self) -> None:
        if not getattr(self, "is_closed", True):
            self.close()


class SyncTransport:
    """A pool of connections under a configuration."""

    def __init__(self, config: Config, http_client: Optional[httpx.Client] = None) -> None:
        self.config = config
        self._owned = http_client is None
        self._http = http_client or _OwnClient(limits=LIMITS)

    def share(self, config: Config) -> SyncTransport:
        """The same connections under another configuration."""
        other = SyncTransport(config, self._http)
        other._owned = self._owned
        return other

    def send(self, call: Call[Model]) -> Model:
        """The whole answer.

        Raises:
            IlluminatorError
        """
        return self._attempt(call, self._whole, streams=False)

    def stream(
        self, call: Call[Item], on_end: Optional[Callable[[str], None]] = None
    ) -> Stream[Item]:
        """The answer as it comes; nothing is sent yet."""
        return Stream(call, self._open, timeout_of(self.config, call).stream, on_end)

    def close(self) -> None:
        if self._owned:
            self._http.close()

    def _open(self, call: Call[Item]) -> httpx.Response:
        return self._attempt(call, lambda _call, response, _deadline: response, streams=True)

    @staticmethod
    def _whole(call: Call[Model], response: httpx.Response, deadline: Deadline) -> Model:
        content = _read(response, deadline)
        response.close()
        return parsed(call, response, content)

    def _attempt(
        self,
        call: Call[Model],
        finish: Callable[[Call[Model], httpx.Response, Deadline], Result],
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
                response = self._answer(call, arguments, limits, deadline)
                try:
                    return finish(call, response, deadline)
                except BaseException:
                    response.close()
                    raise
            except httpx.RequestError as thrown:
                error = error_of_exception(thrown, arguments["url"])
                error.__cause__ = thrown
                sent = not isinstance(thrown, NOT_SENT)
            except IlluminatorError as refused:
                error, sent = refused, True
            error.request_id = error.request_id or arguments["headers"][REQUEST_ID]
            wait = None
            if may_retry(error, repeatable=call.repeatable, sent=sent):
                wait = backoff.wait(error, deadline.remaining)
            if wait is None:
                raise error
            tell_retry(call, error, wait)
            time.sleep(wait)

    def _answer(
        self,
        call: Call[Any],
        arguments: dict[str, Any],
        limits: httpx.Timeout,
        deadline: Deadline,
    ) -> httpx.Response:
        """An answer that says yes; its body is still to be read."""
        request = self._http.build_request(timeout=limits, **arguments)
        response = self._http.send(request, stream=True, follow_redirects=False)
        if response.is_success or response.status_code in call.accepted:
            return response
        try:
            content = _read(response, deadline)
        except httpx.RequestError:
            # Its status says enough.
            content = b""
        finally:
            response.close()
        raise error_of_answer(response, content)


def _read(response: httpx.Response, deadline: Deadline) -> bytes:
    parts = []
    for part in response.iter_bytes():
        parts.append(part)
        deadline.check()
    return b"".join(parts)
