"""The parts of a request and its answer that know nothing of sync and async."""

from __future__ import annotations

import logging
import platform
import time
import uuid
from collections.abc import Mapping
from typing import Any, Optional, Union

import httpx
from pydantic import ValidationError as ShapeError

from illuminator._calls import Call, Model
from illuminator._version import __version__
from illuminator.config import Config, Timeout
from illuminator.exceptions import APITimeoutError, IlluminatorError, InvalidResponseError
from illuminator.types import Answer

REQUEST_ID = "x-request-id"

#: Tells of retries, at the level INFO; never of keys, prompts or answers.
LOG = logging.getLogger("illuminator")

USER_AGENT = f"illuminator-sdk/{__version__} python/{platform.python_version()}"

#: Thousands of streams at once are a use of this API. An idle connection is dropped before servers
#: usually drop theirs (after five seconds), so that none is lost in between.
LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=4.5)


class Deadline:
    """Seconds from now until a request is out of time; ``None``: never."""

    def __init__(self, seconds: Optional[float]) -> None:
        self._seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def remaining(self) -> Optional[float]:
        """Seconds left, never below zero."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def bound(self, seconds: Optional[float]) -> Optional[float]:
        """The shorter of a wait and what is left; above zero, which sockets take for no waiting."""
        bounds = [limit for limit in (seconds, self.remaining) if limit is not None]
        return max(0.001, min(bounds)) if bounds else None

    def check(self) -> None:
        """Raises once the time is over.

        Raises:
            APITimeoutError
        """
        if self.remaining == 0:
            raise self.error()

    def error(self) -> APITimeoutError:
        """The error for time that is over."""
        return APITimeoutError(f"The request took longer than its timeout of {self._seconds:g} s.")


def tell_retry(call: Call[Any], error: IlluminatorError, seconds: float) -> None:
    """Says in the log what went wrong, and when it will be tried again."""
    what = error.status_code or type(error).__name__
    LOG.info("%s %s: %s (%s); again in %.2f s", call.method, call.path, what, error, seconds)


def timeout_of(config: Config, call: Call[Any]) -> Timeout:
    return config.timeout if call.timeout is None else Timeout.of(call.timeout)


def request_of(config: Config, call: Call[Any], *, streams: bool) -> dict[str, Any]:
    """Arguments of httpx's ``build_request``, less the timeout.

    Raises:
        ValueError: The body holds a number that JSON has no word for.
    """
    headers = {
        "accept": "text/event-stream" if streams else "application/json",
        "user-agent": USER_AGENT,
        # Of our own making, so that what is never answered can be found in the server's log, too.
        REQUEST_ID: f"req_{uuid.uuid4().hex}",
    }
    if streams:
        # Compression holds tokens back.
        headers["accept-encoding"] = "identity"
    content = call.content()
    if content is not None:
        headers["content-type"] = "application/json"
    if config.api_key is not None:
        headers["authorization"] = f"Bearer {config.api_key}"
    for extra in (config.headers, call.headers):
        headers.update({name.lower(): value for name, value in extra.items()})
    return {
        "method": call.method,
        "url": config.base_url + call.path,
        "headers": headers,
        "content": content,
        "params": dict(call.query) or None,
    }


def httpx_timeout(timeout: Timeout, deadline: Deadline, *, streams: bool) -> httpx.Timeout:
    """httpx's limits for one attempt. It knows none for the whole: `Deadline` does."""
    silence = deadline.bound(timeout.read if streams else None)
    return httpx.Timeout(
        connect=deadline.bound(timeout.connect),
        read=silence,
        write=deadline.bound(None),
        pool=deadline.bound(None),
    )


def parsed(call: Call[Model], response: httpx.Response, content: bytes) -> Model:
    """The answer in its shape, with its headers.

    Raises:
        InvalidResponseError: It is something else.
    """
    headers = {name.lower(): value for name, value in response.headers.items()}
    answer = shaped(call.shape, content, headers)
    if isinstance(answer, Answer):
        answer._headers = headers
    return answer


def shaped(
    shape: type[Model], content: Union[bytes, str], headers: Optional[Mapping[str, str]] = None
) -> Model:
    """JSON in a shape.

    Raises:
        InvalidResponseError: It is no JSON, or has another shape.
    """
    try:
        return shape.model_validate_json(content)
    except ShapeError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        text = content if isinstance(content, str) else content.decode("utf-8", "replace")
        known = headers or {}
        raise InvalidResponseError(
            f"The answer is no {shape.__name__}: {place}: {first['msg']}. "
            f"It begins {text.strip()[:100]!r}.",
            request_id=known.get("x-request-id"),
            headers=known,
            body=text,
        ) from None
