"""Where the API is, who calls, how long to wait and how often to try."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Optional, Union
from urllib.parse import urlsplit

from illuminator.exceptions import ConfigurationError

DEFAULT_BASE_URL = "https://api.illuminator.ai"
DEFAULT_MAX_RETRIES = 3
DEFAULT_RETRY_DELAY = 1.0
#: A window of a minute is asked about after 61 seconds at the latest.
DEFAULT_MAX_RETRY_WAIT = 120.0

API_KEY_VARIABLE = "ILLUMINATOR_API_KEY"
#: The second is what the server's own examples read.
BASE_URL_VARIABLES = ("ILLUMINATOR_BASE_URL", "ILLUMINATOR_URL")


def _check_number(name: str, value: object, *, low: float, above: bool = False) -> None:
    if value is None and above:
        return
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and math.isfinite(value) and (value > low if above else value >= low):  # type: ignore[arg-type,operator]
        return
    expected = f"more than {low:g}" if above else f"of at least {low:g}"
    raise ConfigurationError(f"{name} is {value!r}: expected a number of seconds {expected}.")


@dataclass(frozen=True)
class Timeout:
    """Seconds to wait; ``None`` means without end.

    Args:
        total: For a whole answer, with all attempts and the waits between them. Of a stream, for
            its beginning.
        connect: For a connection.
        read: Longest silence of a stream once it has begun. A server says at least a comment
            every ten seconds. A whole answer may be silent for as long as ``total`` allows.
        stream: For a whole stream, from its beginning to its end.
    """

    total: Optional[float] = 600.0
    connect: Optional[float] = 10.0
    read: Optional[float] = 60.0
    stream: Optional[float] = None

    def __post_init__(self) -> None:
        for name in ("total", "connect", "read", "stream"):
            _check_number(f"timeout {name}", getattr(self, name), low=0.0, above=True)

    @classmethod
    def of(cls, value: Union[float, Timeout, None]) -> Timeout:
        """A plain number is the total; it also bounds what is part of it."""
        if isinstance(value, Timeout):
            return value
        if value is None:
            return cls(total=None, read=None, connect=None)
        _check_number("timeout", value, low=0.0, above=True)
        usual = cls()
        return cls(
            total=value,
            connect=min(usual.connect or value, value),
            read=min(usual.read or value, value),
        )


class Config:
    """Settings of a client. Immutable: :meth:`replace` makes another.

    Args:
        api_key: Sent as a bearer token. Absent: ``ILLUMINATOR_API_KEY``; without that, no key is
            sent, which a local server without keys is content with.
        base_url: Absent: ``ILLUMINATOR_BASE_URL`` or ``ILLUMINATOR_URL``, else the public API.
        timeout: Seconds for a whole answer, or a :class:`Timeout`; ``None`` waits for ever.
        max_retries: Attempts after the first.
        retry_delay: Seconds before the first retry, where the server names none. Each further one
            waits twice as long as the last, up to ``max_retry_wait``, and all of them less a
            random part.
        max_retry_wait: Longest wait. A server that asks for a longer one is not waited for: its
            error is raised at once and has ``retry_after``.
        headers: Sent with every request.
    """

    __slots__ = (
        "api_key",
        "base_url",
        "headers",
        "max_retries",
        "max_retry_wait",
        "retry_delay",
        "timeout",
    )

    api_key: Optional[str]
    base_url: str
    timeout: Timeout
    max_retries: int
    retry_delay: float
    max_retry_wait: float
    headers: Mapping[str, str]

    def __init__(
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        timeout: Union[float, Timeout, None] = Timeout(),
        max_retries: int = DEFAULT_MAX_RETRIES,
        retry_delay: float = DEFAULT_RETRY_DELAY,
        max_retry_wait: float = DEFAULT_MAX_RETRY_WAIT,
        headers: Optional[Mapping[str, str]] = None,
    ) -> None:
        if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
            raise ConfigurationError(
                f"max_retries is {max_retries!r}: expected a whole number of at least 0."
            )
        _check_number("retry_delay", retry_delay, low=0.0)
        _check_number("max_retry_wait", max_retry_wait, low=0.0)
        for name, value in {
            "api_key": _key(api_key),
            "base_url": _url(base_url),
            "timeout": Timeout.of(timeout),
            "max_retries": max_retries,
            "retry_delay": float(retry_delay),
            "max_retry_wait": float(max_retry_wait),
            "headers": MappingProxyType(dict(headers or {})),
        }.items():
            object.__setattr__(self, name, value)

    def replace(
        self,
        *,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        timeout: Union[float, Timeout, None] = None,
        max_retries: Optional[int] = None,
        retry_delay: Optional[float] = None,
        max_retry_wait: Optional[float] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Config:
        """Another configuration: what is given here, and the rest as it is. Headers are added."""
        return Config(
            # An empty key is one that was left out on purpose: the environment is not asked again.
            api_key=api_key if api_key is not None else self.api_key or "",
            base_url=base_url if base_url is not None else self.base_url,
            timeout=timeout if timeout is not None else self.timeout,
            max_retries=max_retries if max_retries is not None else self.max_retries,
            retry_delay=retry_delay if retry_delay is not None else self.retry_delay,
            max_retry_wait=max_retry_wait if max_retry_wait is not None else self.max_retry_wait,
            headers={**self.headers, **(headers or {})},
        )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"A Config does not change: use replace({name}=...).")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"A Config does not change: {name} stays.")

    def _facts(self) -> tuple[object, ...]:
        return tuple(
            dict(value) if isinstance(value, Mapping) else value
            for value in (getattr(self, name) for name in self.__slots__)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash((self.base_url, self.timeout, self.max_retries))

    def __reduce__(self) -> tuple[object, ...]:
        return (
            Config,
            (
                self.api_key or "",
                self.base_url,
                self.timeout,
                self.max_retries,
                self.retry_delay,
                self.max_retry_wait,
                dict(self.headers),
            ),
        )

    def __repr__(self) -> str:
        # Logs and tracebacks show configurations: never a key, nor a header that may be one.
        key = "None" if self.api_key is None else "'***'"
        return (
            f"Config(api_key={key}, base_url={self.base_url!r}, timeout={self.timeout!r}, "
            f"max_retries={self.max_retries}, retry_delay={self.retry_delay}, "
            f"max_retry_wait={self.max_retry_wait}, headers={sorted(self.headers)})"
        )


def _key(given: Optional[str]) -> Optional[str]:
    key = os.environ.get(API_KEY_VARIABLE, "") if given is None else given
    if not isinstance(key, str):
        raise ConfigurationError(f"api_key is a {type(key).__name__}: expected a string.")
    # Keys come out of files and shells with a line end.
    key = key.strip()
    if not all(33 <= ord(letter) < 127 for letter in key):
        raise ConfigurationError(
            "The API key holds a space or a letter that no key has: expected only ASCII. "
            f"Check what was pasted into api_key or {API_KEY_VARIABLE}."
        )
    return key or None


def _url(given: Optional[str]) -> str:
    named = next((os.environ[name] for name in BASE_URL_VARIABLES if os.environ.get(name)), "")
    url = given if given is not None else named or DEFAULT_BASE_URL
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname)
        is_good = is_good and not parts.query and not parts.fragment and parts.port != 0
    except (ValueError, AttributeError, TypeError):
        is_good = False
    if not is_good:
        raise ConfigurationError(
            f"base_url is {url!r}: expected an address such as {DEFAULT_BASE_URL} "
            "or http://localhost:8000."
        )
    return url.rstrip("/")
