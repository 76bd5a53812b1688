"""Which exception an answer becomes, and what it tells."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from typing import Any, Optional

import httpx
import pytest

import illuminator
from illuminator import exceptions as exc
from illuminator._errors import error_of_answer, error_of_body


def answer(
    status: int, body: object = None, headers: Optional[Mapping[str, str]] = None
) -> exc.IlluminatorError:
    request = httpx.Request("POST", "http://test/generate")
    response = httpx.Response(status, json=body, headers=headers, request=request)
    return error_of_answer(response, response.content)


def body(kind: str, code: str) -> dict[str, Any]:
    error = {"type": kind, "code": code, "message": "Why.", "param": "top_p", "request_id": "req_1"}
    return {"error": error}


@pytest.mark.parametrize(
    ("status", "kind", "code", "expected"),
    [
        (400, "validation_error", "invalid_json", exc.ValidationError),
        (401, "authentication_error", "invalid_api_key", exc.AuthenticationError),
        (403, "permission_error", "insufficient_scope", exc.PermissionDeniedError),
        (404, "model_error", "model_not_found", exc.ModelNotFoundError),
        (404, "not_found_error", "not_found", exc.NotFoundError),
        (405, "not_found_error", "method_not_allowed", exc.ValidationError),
        (408, "timeout_error", "request_timeout", exc.APITimeoutError),
        (409, "validation_error", "conflict", exc.ConflictError),
        (413, "validation_error", "payload_too_large", exc.ValidationError),
        (422, "validation_error", "invalid_parameter", exc.ValidationError),
        (429, "rate_limit_error", "rate_limit_exceeded", exc.RateLimitError),
        (429, "quota_exceeded", "quota_exceeded", exc.QuotaExceededError),
        (500, "model_error", "gpu_error", exc.ModelError),
        (500, "server_error", "internal_error", exc.ServerError),
        (502, "", "", exc.ServerError),
        (503, "model_error", "overloaded", exc.OverloadedError),
        (503, "model_error", "model_loading", exc.OverloadedError),
        (503, "authentication_error", "key_server_unavailable", exc.ServerError),
        (504, "timeout_error", "timeout", exc.APITimeoutError),
    ],
)
def test_each_status_has_its_exception(
    status: int, kind: str, code: str, expected: type[exc.IlluminatorError]
) -> None:
    error = answer(status, body(kind, code))
    assert type(error) is expected
    assert (error.status_code, error.message, error.param) == (status, "Why.", "top_p")
    assert (error.type or "", error.code or "") == (kind, code)
    assert error.request_id == "req_1"
    assert str(error) == "Why. [req_1]"


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("model_error", "draining", exc.OverloadedError),
        ("model_error", "gpu_error", exc.ModelError),
        ("timeout_error", "timeout", exc.APITimeoutError),
        ("quota_exceeded", "quota_exceeded", exc.QuotaExceededError),
        ("invalid_request_error", "context_length_exceeded", exc.ValidationError),
        ("of_the_future", "", exc.ServerError),
    ],
)
def test_an_error_within_a_stream_has_no_status_but_a_type(
    kind: str, code: str, expected: type[exc.IlluminatorError]
) -> None:
    error = error_of_body(body(kind, code))
    assert type(error) is expected
    assert error.status_code is None


def test_answers_of_proxies_are_told_as_they_are() -> None:
    page = httpx.Response(
        502,
        text="<h1>Bad gateway</h1>",
        headers={"x-request-id": "req_proxy"},
        request=httpx.Request("GET", "http://test/info"),
    )
    error = error_of_answer(page, page.content)
    assert type(error) is exc.ServerError
    assert str(error) == (
        "http://test/info answered 502 Bad Gateway: <h1>Bad gateway</h1> [req_proxy]"
    )
    assert error.body == "<h1>Bad gateway</h1>"
    moved = answer(307, headers={"location": "https://elsewhere/"})
    assert type(moved) is exc.InvalidResponseError
    assert "points to https://elsewhere/" in str(moved)
    # Shapes that nobody promised.
    assert answer(400, {"error": "Only words."}).message == "Only words."
    assert "answered 400" in answer(400, ["?"]).message
    assert "answered 400" in answer(400, {"error": {"message": 5}}).message


def test_a_rate_limit_always_says_how_long() -> None:
    told = answer(429, body("rate_limit_error", "x"), {"retry-after": "7"})
    assert isinstance(told, exc.RateLimitError)
    assert told.retry_after == 7.0
    untold = answer(429, body("rate_limit_error", "x"))
    assert isinstance(untold, exc.RateLimitError)
    assert untold.retry_after == exc.UNNAMED_WAIT
    assert answer(503, None).retry_after is None
    assert answer(503, None, {"retry-after-ms": "1500"}).retry_after == 1.5


def test_every_exception_is_one_and_leaves_from_both_modules() -> None:
    for name in exc.__all__:
        kind = getattr(exc, name)
        assert issubclass(kind, exc.IlluminatorError)
        assert getattr(illuminator, name) is kind


@pytest.mark.parametrize("copied", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])  # noqa: S301
def test_exceptions_survive_process_pools(copied: Any) -> None:
    error = answer(429, body("quota_exceeded", "quota_exceeded"), {"retry-after": "9"})
    again = copied(error)
    assert type(again) is exc.QuotaExceededError
    assert str(again) == str(error)
    assert repr(again) == repr(error)
    assert (again.retry_after, again.request_id, again.param) == (9.0, "req_1", "top_p")
    assert again.headers["retry-after"] == "9"


def test_repr_names_what_matters() -> None:
    assert repr(answer(422, body("validation_error", "invalid_parameter"))) == (
        "ValidationError('Why.', status_code=422, code='invalid_parameter', request_id='req_1')"
    )
    assert repr(exc.APIConnectionError("Gone.")) == "APIConnectionError('Gone.')"
