"""From an answer that says no, or from no answer, to the exception for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

import httpx

from illuminator._retry import retry_after_of
from illuminator.exceptions import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    ConflictError,
    IlluminatorError,
    InvalidResponseError,
    ModelError,
    ModelNotFoundError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    ValidationError,
)

_OF_STATUS: Mapping[int, type[IlluminatorError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: APITimeoutError,
    409: ConflictError,
    413: ValidationError,
    422: ValidationError,
    429: RateLimitError,
    431: ValidationError,
    504: APITimeoutError,
}

#: For what comes without a status, in the middle of a stream; some only in OpenAI's dialect.
_OF_TYPE: Mapping[str, type[IlluminatorError]] = {
    "authentication_error": AuthenticationError,
    "permission_error": PermissionDeniedError,
    "not_found_error": NotFoundError,
    "validation_error": ValidationError,
    "invalid_request_error": ValidationError,
    "rate_limit_error": RateLimitError,
    "quota_exceeded": QuotaExceededError,
    "timeout_error": APITimeoutError,
    "model_error": ModelError,
    "server_error": ServerError,
}

_OVERLOADED = frozenset({"overloaded", "model_loading", "draining"})

#: Most of a body that is no JSON that a message quotes.
_QUOTED = 200


def _class_of(
    status: Optional[int], kind: Optional[str], code: Optional[str]
) -> type[IlluminatorError]:
    if code == "model_not_found":
        return ModelNotFoundError
    if kind == "quota_exceeded" and status in {None, 429}:
        return QuotaExceededError
    if code in _OVERLOADED and status in {None, 503}:
        return OverloadedError
    if status is None:
        return _OF_TYPE.get(kind or "", ServerError)
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    if status >= 500:
        return ModelError if kind == "model_error" else ServerError
    return ValidationError if 400 <= status < 500 else InvalidResponseError


def _text(value: object) -> Optional[str]:
    return value if isinstance(value, str) and value else None


def error_of_body(
    body: Any,  # noqa: ANN401 - any JSON
    *,
    status: Optional[int] = None,
    headers: Optional[Mapping[str, str]] = None,
    fallback: str = "The server reported an error without saying which.",
    request_id: Optional[str] = None,
) -> IlluminatorError:
    """The exception that an error body stands for."""
    given = body.get("error") if isinstance(body, dict) else None
    told: Mapping[str, Any] = given if isinstance(given, dict) else {}
    kind, code = _text(told.get("type")), _text(told.get("code"))
    known = dict(headers or {})
    return _class_of(status, kind, code)(
        _text(told.get("message")) or _text(given) or fallback,
        status_code=status,
        type=kind,
        code=code,
        param=_text(told.get("param")),
        request_id=_text(told.get("request_id")) or known.get("x-request-id") or request_id,
        retry_after=retry_after_of(status, known),
        headers=known,
        body=body,
    )


def error_of_answer(response: httpx.Response, content: bytes) -> IlluminatorError:
    """The exception for an answer that is no success."""
    status = response.status_code
    headers = {name.lower(): value for name, value in response.headers.items()}
    text = content.decode("utf-8", "replace")
    try:
        body: Any = json.loads(text)
    except ValueError:
        body = text
    shown = text.strip()[:_QUOTED]
    fallback = f"{response.request.url} answered {status} {response.reason_phrase}".rstrip()
    if 300 <= status < 400:
        place = headers.get("location", "elsewhere")
        fallback += f" and points to {place}: redirects are not followed, check base_url"
    elif shown:
        fallback += f": {shown}"
    return error_of_body(body, status=status, headers=headers, fallback=fallback)


def error_of_exception(thrown: httpx.RequestError, url: str) -> IlluminatorError:
    """The exception for a request that got no whole answer."""
    why = str(thrown) or type(thrown).__name__
    if isinstance(thrown, httpx.ConnectTimeout):
        return APITimeoutError(f"No connection to {url} in time.")
    if isinstance(thrown, httpx.PoolTimeout):
        return APITimeoutError(f"No free connection to {url} in time: too many are in use.")
    if isinstance(thrown, httpx.TimeoutException):
        return APITimeoutError(f"No answer from {url} in time.")
    if isinstance(thrown, httpx.ConnectError):
        return APIConnectionError(f"Cannot connect to {url}: {why}")
    if isinstance(thrown, (httpx.UnsupportedProtocol, httpx.DecodingError)):
        return InvalidResponseError(f"{url}: {why}")
    return APIConnectionError(f"The connection to {url} broke: {why}")
