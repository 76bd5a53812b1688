"""What each method sends, and what becomes of the answer. Sync and async alike."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from datetime import datetime, timezone
from typing import Any, Callable, Optional, Union

import anyio
import httpx
import pytest

import illuminator
from illuminator import (
    AsyncIlluminatorClient,
    AuthenticationError,
    ChatMessage,
    Config,
    IlluminatorClient,
    InvalidResponseError,
    Timeout,
)
from raw_server import GENERATED, USAGE

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1677652288,
    "model": "illuminator-4.9b",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!"},
            "finish_reason": "stop",
        }
    ],
    "usage": USAGE,
}
HEALTH = {
    "status": "healthy",
    "model_loaded": True,
    "gpu_available": True,
    "memory_usage": {"gpu_memory_used": "12.5GB", "gpu_memory_total": "24GB"},
    "uptime": "2h 30m 15s",
    "version": "1.0.0",
}
INFO = {
    "model_name": "iLLuMinator 4.9B",
    "version": "1.0.0",
    "parameters": "4.9B",
    "architecture": {
        "type": "Transformer",
        "layers": 32,
        "heads": 32,
        "d_model": 4096,
        "vocabulary_size": 65536,
        "context_length": 4096,
    },
    "capabilities": ["text_generation", "chat_completion"],
    "training_data": {"sources": ["OpenOrca"], "total_tokens": "2.5T", "languages": ["English"]},
}
CARD = {
    "id": "illuminator-4.9b",
    "name": "iLLuMinator 4.9B",
    "description": "Full 4.9B parameter model",
    "parameters": "4.9B",
    "context_length": 4096,
    "status": "available",
}
STATS = {
    "model_id": "illuminator-4.9b",
    "usage_stats": {
        "total_requests": 1500,
        "total_tokens_generated": 450000,
        "average_generation_time": 1.8,
        "error_rate": 0.02,
    },
    "performance_metrics": {
        "throughput": "25 tokens/second",
        "memory_usage": "18.5GB",
        "gpu_utilization": 85,
    },
}
URL = "http://test/api"
Answer = Union[httpx.Response, Callable[[httpx.Request], httpx.Response]]


class Recorder:
    """Answers like a server, in this process, and keeps what was asked."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self._answer, httpx.Response):
            made = self._answer
            return httpx.Response(made.status_code, content=made.content, headers=made.headers)
        return self._answer(request)

    @property
    def body(self) -> Any:
        return json.loads(self.requests[-1].content)


class Both:
    """Calls a method of the sync client or of the async one."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(
        self,
        recorder: Recorder,
        method: str,
        *arguments: Any,
        config: Optional[Config] = None,
        **params: Any,
    ) -> Any:
        settings = config or Config(api_key="sk-1", base_url=URL, max_retries=0)
        if self.kind == "sync":
            http = httpx.Client(transport=httpx.MockTransport(recorder))
            with http, IlluminatorClient(config=settings, http_client=http) as client:
                return getattr(client, method)(*arguments, **params)

        async def main() -> Any:
            http = httpx.AsyncClient(transport=httpx.MockTransport(recorder))
            async with http, AsyncIlluminatorClient(config=settings, http_client=http) as client:
                result: Awaitable[Any] = getattr(client, method)(*arguments, **params)
                return await result

        return anyio.run(main)


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Both:
    return Both(request.param)


def ok(body: object, **headers: str) -> Recorder:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Recorder(httpx.Response(200, json=body, headers=told))


def test_generate(call: Both) -> None:
    recorder = ok(GENERATED, x_request_id="req_9", x_ratelimit_remaining="44")
    response = call(
        recorder,
        "generate",
        "Explain:",
        max_tokens=100,
        temperature=0.7,
        top_k=None,
        logit_bias={5: -100},
        stop_sequences=["."],
    )
    (request,) = recorder.requests
    assert (request.method, str(request.url)) == ("POST", "http://test/api/generate")
    assert recorder.body == {
        "prompt": "Explain:",
        "max_tokens": 100,
        "temperature": 0.7,
        "logit_bias": {"5": -100},
        "stop_sequences": ["."],
    }
    assert request.headers["authorization"] == "Bearer sk-1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith(f"illuminator-sdk/{illuminator.__version__} ")
    assert response.generated_text == "one two three"
    assert (response.tokens_generated, response.generation_time) == (3, 0.25)
    assert (response.model_version, response.finish_reason) == ("4.9B", "stop")
    assert (response.usage.prompt_tokens, response.usage.total_tokens) == (2, 5)
    assert response.request_id == "req_9"
    assert response.rate_limits.remaining == 44
    assert response.rate_limits.limit is None


def test_chat(call: Both) -> None:
    recorder = ok(CHAT)
    messages = [ChatMessage(role="system", content="Be kind."), {"role": "user", "content": "Hi"}]
    response = call(recorder, "chat", messages, model="illuminator-4.9b", stop=["x"], n=1)
    assert recorder.requests[0].url.path == "/api/chat/completions"
    assert recorder.body == {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hi"},
        ],
        "model": "illuminator-4.9b",
        "stop": ["x"],
        "n": 1,
    }
    assert response.message == ChatMessage(role="assistant", content="Hello!")
    assert response.choices[0].message.content == "Hello!"
    assert (response.id, response.model, response.finish_reason) == (
        "chatcmpl-1",
        "illuminator-4.9b",
        "stop",
    )


def test_tokenize_and_back(call: Both) -> None:
    recorder = ok({"tokens": [15496, 11], "token_count": 2, "text_length": 6})
    tokens = call(recorder, "tokenize", "Hello,")
    assert recorder.body == {"text": "Hello,"}
    assert (tokens.tokens, tokens.token_count, tokens.text_length) == ([15496, 11], 2, 6)
    recorder = ok({"text": "Hello,", "token_count": 2})
    assert call(recorder, "detokenize", (15496, 11), model="m").text == "Hello,"
    assert recorder.body == {"tokens": [15496, 11], "model": "m"}


def test_facts(call: Both) -> None:
    health = call(ok(HEALTH), "health")
    assert health.is_healthy
    assert health.memory_usage.gpu_memory_used == "12.5GB"
    assert health.uptime == "2h 30m 15s"
    info = call(ok(INFO), "info")
    assert (info.model_name, info.architecture.d_model) == ("iLLuMinator 4.9B", 4096)
    assert info.training_data.languages == ["English"]
    recorder = ok({"models": [CARD]})
    (card,) = call(recorder, "list_models")
    assert (card.id, card.context_length) == ("illuminator-4.9b", 4096)
    assert recorder.requests[0].content == b""
    assert "content-type" not in recorder.requests[0].headers
    recorder = ok(STATS)
    stats = call(recorder, "model_stats", "owner/name with?")
    assert recorder.requests[0].url.raw_path == b"/api/models/owner/name%20with%3F/stats"
    assert stats.usage_stats.total_requests == 1500
    assert stats.performance_metrics.gpu_utilization == 85


def test_a_server_that_loads_is_healthy_enough_to_say_so(call: Both) -> None:
    loading = {**HEALTH, "status": "loading", "model_loaded": False, "progress": {"percent": 40}}
    health = call(Recorder(httpx.Response(503, json=loading)), "health")
    assert not health.is_healthy
    assert health.progress == {"percent": 40}


def test_fields_of_a_newer_server_are_kept(call: Both) -> None:
    response = call(ok({**GENERATED, "mood": "good"}), "generate", "x")
    assert response.mood == "good"
    with pytest.raises(ValueError, match="frozen"):
        response.generated_text = "other"


def test_options_of_a_call(call: Both) -> None:
    recorder = ok(GENERATED)
    call(
        recorder,
        "generate",
        "x",
        extra_body={"min_p": 0.1, "of_the_future": True},
        extra_headers={"X-Request-ID": "mine", "authorization": "Bearer other"},
        timeout=Timeout(total=7, connect=3),
    )
    (request,) = recorder.requests
    assert recorder.body == {"prompt": "x", "min_p": 0.1, "of_the_future": True}
    assert request.headers["x-request-id"] == "mine"
    assert request.headers.get_list("authorization") == ["Bearer other"]
    limits = request.extensions["timeout"]
    assert limits["connect"] == 3
    assert 6 < limits["read"] <= 7


def test_without_a_key_none_is_sent(call: Both) -> None:
    recorder = ok(HEALTH)
    call(recorder, "health", config=Config(base_url=URL))
    assert "authorization" not in recorder.requests[0].headers


def test_a_key_is_not_sent_where_a_redirect_points(call: Both) -> None:
    moved = Recorder(httpx.Response(307, headers={"location": "http://elsewhere/"}))
    with pytest.raises(InvalidResponseError, match="points to http://elsewhere/"):
        call(moved, "generate", "x")
    assert len(moved.requests) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<html>", "no GenerateResponse"),
        ('{"generated_text": "x"}', "tokens_generated: Field required"),
        ("[]", "no GenerateResponse"),
        ("", "no GenerateResponse"),
    ],
)
def test_an_answer_that_is_none_is_told_of(call: Both, body: str, told: str) -> None:
    recorder = Recorder(httpx.Response(200, text=body, headers={"x-request-id": "req_7"}))
    with pytest.raises(InvalidResponseError, match=told) as caught:
        call(recorder, "generate", "x")
    assert caught.value.request_id == "req_7"
    assert caught.value.body == body
    assert len(recorder.requests) == 1


def test_a_refusal(call: Both) -> None:
    error = {"type": "authentication_error", "code": "invalid_api_key", "message": "Who?"}
    with pytest.raises(AuthenticationError, match="Who"):
        call(Recorder(httpx.Response(401, json={"error": error})), "info")


@pytest.mark.parametrize(
    ("method", "arguments", "params", "told"),
    [
        ("generate", ("x",), {"max_token": 5}, "'max_token'. Did you mean 'max_tokens'"),
        ("generate", ("x",), {"stop": "."}, "unexpected keyword argument 'stop'"),
        ("generate", ("x",), {"stream": True}, r"'stream'. Call generate_stream\(\)"),
        ("chat", ([],), {"stop_sequences": []}, "unexpected keyword argument 'stop_sequences'"),
        ("chat", ("Hello",), {}, "expected a list of them"),
        ("chat", ({"role": "user"},), {}, "expected a list of them"),
        ("chat", ([5],), {}, "A message is a int"),
    ],
)
def test_mistakes_of_the_caller_are_type_errors(
    call: Both, method: str, arguments: tuple[Any, ...], params: dict[str, Any], told: str
) -> None:
    with pytest.raises(TypeError, match=told):
        call(ok(GENERATED), method, *arguments, **params)


def test_numbers_that_json_lacks_never_leave(call: Both) -> None:
    recorder = ok(GENERATED)
    with pytest.raises(ValueError, match="JSON"):
        call(recorder, "generate", "x", temperature=float("nan"))
    assert recorder.requests == []


def test_an_http_client_that_was_given_stays_open() -> None:
    with httpx.Client(transport=httpx.MockTransport(ok(HEALTH))) as http:
        with IlluminatorClient(base_url=URL, http_client=http) as client:
            client.health()
        assert not http.is_closed
        other = IlluminatorClient(base_url=URL, http_client=http).with_options(max_retries=1)
        assert other.health().is_healthy
        other.close()
        assert not http.is_closed


def test_a_client_of_its_own_is_closed_once_and_for_all() -> None:
    client = IlluminatorClient(base_url=URL)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.health()


def test_dates_have_a_time_zone() -> None:
    from illuminator.types import BatchJobInfo

    job = BatchJobInfo.model_validate(
        {
            "id": "job_123",
            "name": "my_batch_job",
            "status": "running",
            "progress": 65,
            "created_at": "2024-01-15T10:00:00Z",
            "started_at": "2024-01-15T10:01:00Z",
            "total_prompts": 100,
            "completed_prompts": 65,
            "failed_prompts": 2,
            "estimated_completion": "2024-01-15T10:15:00Z",
        }
    )
    assert job.created_at == datetime(2024, 1, 15, 10, tzinfo=timezone.utc)
    assert job.finished_at is None
