"""When a request is sent again, and after how long."""

from __future__ import annotations

import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from illuminator import (
    APIConnectionError,
    APITimeoutError,
    AsyncIlluminatorClient,
    BatchClient,
    Config,
    IlluminatorClient,
    IlluminatorError,
    OverloadedError,
    RateLimitError,
    ServerError,
    ValidationError,
)
from illuminator._retry import Backoff, may_retry, retry_after_of
from raw_server import GENERATED, Connection, dropped, refusal, serving, streaming, token, whole

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "3", "retry-after-ms": "40"}, 0.04),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
        # The server's clock is ten minutes ahead.
        (
            {
                "retry-after": formatdate(NOW + 605, usegmt=True),
                "date": formatdate(NOW + 600, usegmt=True),
            },
            5.0,
        ),
        ({"x-ratelimit-reset": str(int(NOW) + 12)}, 12.0),
        ({"x-ratelimit-reset": "x"}, None),
    ],
)
def test_what_the_server_asks_for(headers: dict[str, str], seconds: Optional[float]) -> None:
    assert retry_after_of(429, headers, now=lambda: NOW) == seconds


def test_a_reset_is_no_request_to_wait_unless_the_limit_was_hit() -> None:
    assert retry_after_of(503, {"x-ratelimit-reset": str(int(NOW) + 12)}, now=lambda: NOW) is None


@given(st.text(max_size=40))
def test_any_header_is_borne(text: str) -> None:
    seconds = retry_after_of(429, {"retry-after": text, "date": text, "retry-after-ms": text})
    assert seconds is None or seconds >= 0


def error(status: Optional[int], **headers: str) -> IlluminatorError:
    kind = APIConnectionError if status is None else ServerError
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    wait = retry_after_of(status, told)
    return kind("No.", status_code=status, headers=told, retry_after=wait)


@pytest.mark.parametrize("status", [None, 408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: Optional[int]) -> None:
    assert may_retry(error(status), repeatable=True, sent=True)
    assert not may_retry(error(status, x_should_retry="false"), repeatable=True, sent=True)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
def test_what_waiting_does_not_mend_is_not(status: int) -> None:
    assert not may_retry(error(status), repeatable=True, sent=True)
    assert may_retry(error(status, x_should_retry="True"), repeatable=True, sent=True)


def test_what_must_not_happen_twice_is_repeated_only_when_it_did_not_happen() -> None:
    assert may_retry(error(None), repeatable=False, sent=False)
    assert not may_retry(error(None), repeatable=False, sent=True)
    assert may_retry(error(429), repeatable=False, sent=True)
    assert may_retry(error(503), repeatable=False, sent=True)
    assert not may_retry(error(500), repeatable=False, sent=True)
    assert not may_retry(error(504), repeatable=False, sent=True)


@given(st.floats(0, 1), st.floats(0.01, 100), st.integers(1, 60), st.floats(0, 100))
def test_waits_double_within_their_bounds_and_are_spread(
    dice: float, delay: float, retries: int, longest: float
) -> None:
    config = Config(retry_delay=delay, max_retry_wait=longest, max_retries=retries)
    backoff = Backoff(config, dice=lambda: dice)
    for number in range(retries):
        full = min(delay * 2.0 ** min(number, 30), longest)
        wait = backoff.wait(error(500), None)
        assert wait is not None
        assert full / 2 <= wait <= full
    assert backoff.wait(error(500), None) is None


def test_the_dice_are_thrown_each_time() -> None:
    throws = iter([0.0, 1.0])
    backoff = Backoff(Config(retry_delay=1), dice=lambda: next(throws))
    assert backoff.wait(error(500), None) == 0.5
    assert backoff.wait(error(500), None) == 2.0


@given(st.floats(0, 1), st.floats(0, 60))
def test_never_earlier_than_the_server_asks(dice: float, asked: float) -> None:
    wait = Backoff(Config(), dice=lambda: dice).wait(error(503, retry_after=str(asked)), None)
    assert wait is not None
    assert asked <= wait <= asked * 1.1 + 1e-9


def test_a_wait_that_is_too_long_is_not_begun() -> None:
    assert Backoff(Config()).wait(error(429, retry_after="121"), None) is None
    assert Backoff(Config()).wait(error(429, retry_after="61"), None) is not None
    assert Backoff(Config(max_retry_wait=9)).wait(error(429, retry_after="61"), None) is None
    assert Backoff(Config()).wait(error(503, retry_after="5"), 4.0) is None
    assert Backoff(Config()).wait(error(503, retry_after="5"), 6.0) is not None


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clients slept; they do not really."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("illuminator._sync.time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr("illuminator._async.anyio.sleep", sleep)
    return slept


BUSY = ("model_error", "overloaded")
LIMIT = ("rate_limit_error", "rate_limit_exceeded")


def test_a_client_waits_as_it_is_told_and_succeeds(waits: list[float]) -> None:
    first = refusal(429, *LIMIT, retry_after="2")
    second = refusal(
        503,
        *BUSY,
        retry_after=formatdate(time.time() + 3600, usegmt=True),
        date=formatdate(time.time() + 3590, usegmt=True),
    )
    third = refusal(503, *BUSY, retry_after_ms="250", retry_after="9")
    with (
        serving(first, second, third, whole()) as server,
        IlluminatorClient(base_url=server.url) as client,
    ):
        assert client.generate("x", max_tokens=3).generated_text == "one two three"
        assert [request.body for request in server.requests] == [server.requests[0].body] * 4
        # One request, however often it was sent: one id.
        assert len({request.headers["x-request-id"] for request in server.requests}) == 1
    assert len(waits) == 3
    for wait, asked in zip(waits, (2.0, 10.0, 0.25)):
        assert asked <= wait <= asked * 1.1 + 0.2


def test_the_log_tells_of_retries_and_of_no_secret(
    waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="illuminator")
    with serving(refusal(503, *BUSY, message="Full.", retry_after="5"), whole()) as server:
        IlluminatorClient("sk-secret", server.url).generate("a private prompt")
    (record,) = caplog.records
    assert record.getMessage().startswith("POST /generate: 503 (Full. [req_body]); again in 5.")
    assert "secret" not in caplog.text
    assert "private" not in caplog.text
    assert len(waits) == 1


async def test_so_does_the_async_one(waits: list[float]) -> None:
    handlers = (refusal(429, *LIMIT, retry_after="2"), refusal(500, "server_error", "x"), whole())
    with serving(*handlers) as server:
        async with AsyncIlluminatorClient(base_url=server.url, retry_delay=4) as client:
            assert (await client.generate("x")).tokens_generated == 3
    assert len(waits) == 2
    assert 2 <= waits[0] <= 2.2
    # The second retry of its own accord waits up to twice the first's.
    assert 4 <= waits[1] <= 8


def test_it_gives_up_after_its_retries_with_the_last_error(waits: list[float]) -> None:
    busy = refusal(503, *BUSY, message="Full.", retry_after="1", x_request_id="req_head")
    with serving(busy) as server:
        with pytest.raises(OverloadedError, match="Full") as caught:
            IlluminatorClient(base_url=server.url, max_retries=2).generate("x")
        assert len(server.requests) == 3
    assert (caught.value.retry_after, caught.value.request_id) == (1.0, "req_body")
    assert len(waits) == 2


def test_without_retries_it_asks_once(waits: list[float]) -> None:
    with serving(refusal(429, *LIMIT, retry_after="1")) as server:
        with pytest.raises(RateLimitError) as caught:
            IlluminatorClient(base_url=server.url, max_retries=0).generate("x")
        assert len(server.requests) == 1
    assert caught.value.retry_after == 1.0
    assert waits == []


def test_a_longer_wait_than_it_may_is_left_to_the_caller(waits: list[float]) -> None:
    with serving(refusal(429, *LIMIT, retry_after="3000")) as server:
        with pytest.raises(RateLimitError) as caught:
            IlluminatorClient(base_url=server.url).generate("x")
        assert len(server.requests) == 1
    assert caught.value.retry_after == 3000.0
    assert waits == []


def test_what_is_wrong_is_not_repeated(waits: list[float]) -> None:
    with serving(refusal(422, "validation_error", "invalid_parameter")) as server:
        with pytest.raises(ValidationError):
            IlluminatorClient(base_url=server.url).generate("x", temperature=9)
        assert len(server.requests) == 1
    assert waits == []


def test_x_should_retry_is_the_last_word(waits: list[float]) -> None:
    late = refusal(504, "timeout_error", "timeout", x_should_retry="false")
    with serving(late) as server:
        with pytest.raises(APITimeoutError) as caught:
            IlluminatorClient(base_url=server.url).generate("x")
        assert (len(server.requests), caught.value.status_code) == (1, 504)
    again = refusal(409, "validation_error", "conflict", x_should_retry="true")
    with serving(again, whole()) as server:
        assert IlluminatorClient(base_url=server.url).generate("x").finish_reason == "stop"
    assert len(waits) == 1


def test_a_dropped_connection_is_made_again(waits: list[float]) -> None:
    def half(connection: Connection) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
        connection.send(b'content-length: 500\r\n\r\n{"generated_text": ')
        connection.close()

    with serving(dropped, half, lambda connection: connection.reset(), whole()) as server:
        client = IlluminatorClient(base_url=server.url)
        assert client.generate("x").generated_text == GENERATED["generated_text"]
        assert len(server.requests) == 4
    assert len(waits) == 3


async def test_so_it_is_by_the_async_client(waits: list[float]) -> None:
    with serving(dropped, whole()) as server:
        async with AsyncIlluminatorClient(base_url=server.url) as client:
            assert (await client.generate("x")).generated_text == "one two three"
    assert len(waits) == 1


def test_nobody_listens(waits: list[float]) -> None:
    with serving(whole()) as server:
        url = server.url
    with pytest.raises(APIConnectionError, match="Cannot connect to " + url) as caught:
        IlluminatorClient(base_url=url, max_retries=1).generate("x")
    assert caught.value.__cause__ is not None
    # Nobody answered: the id is the one that was sent.
    assert str(caught.value.request_id).startswith("req_")
    assert len(waits) == 1


def test_a_stream_is_asked_for_again_until_it_begins(waits: list[float]) -> None:
    stream = streaming(token("a", 0, finish_reason="stop"), b"data: [DONE]\n\n")
    with serving(refusal(503, *BUSY, retry_after="1"), dropped, stream) as server:
        tokens = IlluminatorClient(base_url=server.url).generate_stream("x")
        assert [one.text for one in tokens] == ["a"]
        assert len(server.requests) == 3
    assert len(waits) == 2


JOB = {
    "id": "job_1",
    "name": None,
    "status": "queued",
    "progress": 0,
    "created_at": "2024-01-15T10:00:00Z",
    "total_prompts": 1,
    "completed_prompts": 0,
    "failed_prompts": 0,
}


def test_a_job_is_never_submitted_twice(waits: list[float]) -> None:
    with serving(dropped, whole(202, JOB)) as server:
        with pytest.raises(APIConnectionError):
            BatchClient(base_url=server.url).submit_job(["a"])
        assert len(server.requests) == 1
    with serving(refusal(503, *BUSY, retry_after="1"), whole(202, JOB)) as server:
        assert BatchClient(base_url=server.url).submit_job(["a"]).id == "job_1"
        assert len(server.requests) == 2
    assert len(waits) == 1


def test_a_real_wait_is_not_shorter_than_asked() -> None:
    with serving(refusal(429, *LIMIT, retry_after="0.3"), whole()) as server:
        IlluminatorClient(base_url=server.url).generate("x")
        first, second = server.requests
    assert second.at - first.at >= 0.3
