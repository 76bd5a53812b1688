"""What can go wrong. Every error of this package is an :class:`IlluminatorError`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

#: Seconds to wait after a 429 that names no time.
UNNAMED_WAIT = 1.0


class IlluminatorError(Exception):
    """Something went wrong, here or there.

    Attributes:
        message: What, in words.
        status_code: HTTP status; ``None`` where there was no answer, and for an error that came in
            the middle of a stream.
        type: Kind of the error as the API names it, such as ``validation_error``.
        code: The very error, such as ``invalid_parameter``.
        param: Parameter at fault.
        request_id: Names the request in the server's log.
        headers: Of the answer, with names in lower case.
        body: Of the answer: parsed JSON, else text.
    """

    message: str

    def __init__(
        self,
        message: str,
        *,
        status_code: Optional[int] = None,
        type: Optional[str] = None,  # noqa: A002 - the API's name
        code: Optional[str] = None,
        param: Optional[str] = None,
        request_id: Optional[str] = None,
        retry_after: Optional[float] = None,
        headers: Optional[Mapping[str, str]] = None,
        body: Any = None,  # noqa: ANN401 - any JSON
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.type = type
        self.code = code
        self.param = param
        self.request_id = request_id
        self._retry_after = retry_after
        self.headers: Mapping[str, str] = dict(headers or {})
        self.body = body

    @property
    def retry_after(self) -> Optional[float]:
        """Seconds after which the server wants to be asked again, where it said so."""
        return self._retry_after

    def __str__(self) -> str:
        return f"{self.message} [{self.request_id}]" if self.request_id else self.message

    def __repr__(self) -> str:
        told = {"status_code": self.status_code, "code": self.code, "request_id": self.request_id}
        facts = [f"{name}={value!r}" for name, value in told.items() if value is not None]
        return f"{type(self).__name__}({', '.join([repr(self.message), *facts])})"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are pickled by process pools; the default forgets keyword arguments.
        return (_rebuild, (type(self), self.message, self.__dict__.copy()))


def _rebuild(kind: type[IlluminatorError], message: str, state: dict[str, Any]) -> IlluminatorError:
    error = kind.__new__(kind, message)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class ConfigurationError(IlluminatorError, ValueError):
    """A setting of the client cannot be."""


class APIConnectionError(IlluminatorError):
    """No answer: the server could not be reached, or went away."""


class StreamInterruptedError(APIConnectionError):
    """A stream ended before its ``[DONE]``: what was received is not the whole answer."""


class APITimeoutError(IlluminatorError):
    """Out of time: here (``status_code`` is ``None``) or at the server (408, 504)."""


class InvalidResponseError(IlluminatorError):
    """What answered does not speak this API; a proxy's page, for one."""


class ValidationError(IlluminatorError):
    """The request cannot be honoured as it is (400, 413, 422); ``param`` names what is wrong."""


class AuthenticationError(IlluminatorError):
    """No API key, or one that is not good (401)."""


class PermissionDeniedError(IlluminatorError):
    """The key is good, but not for this (403)."""


class NotFoundError(IlluminatorError):
    """There is no such thing (404)."""


class ModelNotFoundError(NotFoundError):
    """The model is not served here (404)."""


class ConflictError(IlluminatorError):
    """It cannot be done in the state that things are in (409)."""


class RateLimitError(IlluminatorError):
    """Too many requests (429); ``retry_after`` says when there is room again."""

    @property
    def retry_after(self) -> float:
        """Seconds after which there is room again."""
        return UNNAMED_WAIT if self._retry_after is None else self._retry_after


class QuotaExceededError(RateLimitError):
    """The tokens of the hour are used up (429)."""


class ServerError(IlluminatorError):
    """The server failed (500 and up)."""


class ModelError(ServerError):
    """The model, or the GPU that runs it, failed."""


class OverloadedError(ModelError):
    """The server cannot take more now (503): it is full, still loading, or shutting down."""


__all__ = [
    "APIConnectionError",
    "APITimeoutError",
    "AuthenticationError",
    "ConfigurationError",
    "ConflictError",
    "IlluminatorError",
    "InvalidResponseError",
    "ModelError",
    "ModelNotFoundError",
    "NotFoundError",
    "OverloadedError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitError",
    "ServerError",
    "StreamInterruptedError",
    "ValidationError",
]
