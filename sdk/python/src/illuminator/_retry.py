"""When to try again, and after how long. Pure: clocks and dice are handed in."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Callable, Optional

import httpx

from illuminator.config import Config
from illuminator.exceptions import APIConnectionError, APITimeoutError, IlluminatorError

#: Another try may find things better.
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})

#: The server turned the request away before it did anything for it.
_TURNED_AWAY = frozenset({429, 503})

#: A herd that was told the same time does not come back at the same moment.
_SPREAD = 0.1

#: The server has seen nothing of the request.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Headers = Mapping[str, str]


def _number(text: Optional[str]) -> Optional[float]:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _epoch(text: Optional[str]) -> Optional[float]:
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def retry_after_of(
    status: Optional[int], headers: Headers, now: Callable[[], float] = time.time
) -> Optional[float]:
    """Seconds that the server asks to wait: ``retry-after-ms``, else ``Retry-After``.

    A date is measured against the server's own clock where its ``Date`` tells it. A 429 without
    either says it with the time at which its window is empty.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = headers.get("retry-after")
    seconds = _number(given)
    if seconds is not None:
        return seconds
    there = _epoch(headers.get("date"))
    at = _epoch(given)
    if at is None and status == 429:
        at = _number(headers.get("x-ratelimit-reset"))
    if at is None:
        return None
    return max(0.0, at - (now() if there is None else there))


def may_retry(error: IlluminatorError, *, repeatable: bool, sent: bool) -> bool:
    """Whether the same request may be sent once more.

    Args:
        error: What became of it.
        repeatable: Twice does no harm.
        sent: It may have reached the server.
    """
    said = error.headers.get("x-should-retry", "").strip().lower()
    if said in {"true", "false"}:
        return said == "true"
    status = error.status_code
    if status is None:
        is_lost = isinstance(error, (APIConnectionError, APITimeoutError))
        return is_lost and (repeatable or not sent)
    return status in (_RETRIED if repeatable else _TURNED_AWAY)


@dataclass
class Backoff:
    """Counts the attempts of one request, and says how long to wait before the next."""

    config: Config
    dice: Callable[[], float] = random.random
    retries: int = field(default=0, init=False)

    def wait(self, error: IlluminatorError, remaining: Optional[float]) -> Optional[float]:
        """Seconds until the next attempt; ``None``: there is none.

        Args:
            error: Of the last attempt.
            remaining: Seconds until the whole request is out of time.
        """
        config = self.config
        if self.retries >= config.max_retries:
            return None
        asked = error._retry_after
        if asked is not None:
            if asked > config.max_retry_wait:
                return None
            seconds = asked * (1 + _SPREAD * self.dice())
        else:
            # The exponent is bounded: a float is not.
            step = config.retry_delay * 2.0 ** min(self.retries, 30)
            seconds = min(step, config.max_retry_wait) * (0.5 + 0.5 * self.dice())
        if remaining is not None and seconds >= remaining:
            return None
        self.retries += 1
        return seconds
