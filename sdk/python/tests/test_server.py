"""The client against the real server over a fake engine that answers "one two three"."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Union

import anyio
import pytest

from conftest import fake_server
from illuminator import (
    APIConnectionError,
    APITimeoutError,
    AsyncBatchClient,
    AsyncChatClient,
    AsyncIlluminatorClient,
    AuthenticationError,
    BatchClient,
    BatchPrompt,
    ChatClient,
    ChatMessage,
    ConflictError,
    IlluminatorClient,
    ModelNotFoundError,
    NotFoundError,
    RateLimitError,
    Timeout,
    ValidationError,
)


@pytest.fixture
def client(url: str) -> Iterator[IlluminatorClient]:
    with IlluminatorClient(base_url=url) as made:
        yield made


def test_generate(client: IlluminatorClient) -> None:
    response = client.generate("Hello", max_tokens=50, temperature=0)
    assert response.generated_text == "one two three"
    assert (response.tokens_generated, response.finish_reason) == (3, "stop")
    assert response.usage.total_tokens == response.usage.prompt_tokens + 3
    assert response.request_id is not None
    assert response.request_id.startswith("req_")
    assert client.generate("Hello", max_tokens=2).finish_reason == "length"
    assert client.generate("Hello", return_full_text=True).generated_text == "Helloone two three"


def test_generate_stream(client: IlluminatorClient) -> None:
    with client.generate_stream("Hello") as stream:
        assert [one.text for one in stream] == ["one", " two", " three"]
    assert stream.usage is not None
    assert (stream.usage.completion_tokens, stream.finish_reason) == (3, "stop")


def test_chat(client: IlluminatorClient) -> None:
    messages = [ChatMessage(role="user", content="Hello")]
    response = client.chat(messages, n=2, logprobs=True, top_logprobs=1)
    assert [choice.index for choice in response.choices] == [0, 1]
    assert response.message.content == "one two three"
    logprobs = response.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert [one.token for one in logprobs.content] == ["one", " two", " three"]
    assert len(logprobs.content[0].top_logprobs) == 1
    stream = client.chat_stream(messages)
    assert stream.read() == "one two three"
    assert stream.usage is not None
    assert stream.usage.completion_tokens == 3
    several = client.chat_stream(messages, n=3)
    assert several.read() == "one two three"


def test_facts(client: IlluminatorClient) -> None:
    assert client.health().is_healthy
    assert client.info().architecture.layers == 30
    (card,) = client.list_models()
    assert client.model_stats(card.id).model_id == card.id
    tokens = client.tokenize("né💡")
    assert tokens.text_length == 3
    assert client.detokenize(tokens.tokens).text == "né💡"


def test_errors(client: IlluminatorClient) -> None:
    with pytest.raises(ValidationError) as wrong:
        client.generate("Hello", temperature=9)
    assert (wrong.value.status_code, wrong.value.param) == (422, "temperature")
    assert (wrong.value.type, wrong.value.code) == ("validation_error", "invalid_parameter")
    assert str(wrong.value).endswith(f" [{wrong.value.request_id}]")
    with pytest.raises(ModelNotFoundError):
        client.generate("Hello", model="nobody")
    with pytest.raises(ValidationError, match="of_the_future"):
        client.generate("Hello", extra_body={"of_the_future": 1})
    with pytest.raises(ValidationError, match="2048"):
        list(client.generate_stream("x" * 5000))
    with pytest.raises(NotFoundError):
        BatchClient(client=client).get_job("job_none")
    mine = client.generate("Hello", extra_headers={"x-request-id": "mine-1"})
    assert mine.request_id == "mine-1"


def test_a_conversation(client: IlluminatorClient) -> None:
    with ChatClient(client=client, system_message="Be brief.") as chat:
        chat.add_message("user", "Hello")
        response = chat.complete()
        assert response.message.content == "one two three"
        chat.add_message("user", "More")
        stream = chat.stream(temperature=0.5)
        assert "".join(chunk.text for chunk in stream) == "one two three"
        assert [(turn.role, turn.content) for turn in chat.get_history()] == [
            ("system", "Be brief."),
            ("user", "Hello"),
            ("assistant", "one two three"),
            ("user", "More"),
            ("assistant", "one two three"),
        ]
        chat.add_message("user", "Again")
        for chunk in chat.stream():
            if chunk.text:
                break
        chat.clear()
        assert [turn.role for turn in chat.get_history()] == ["system"]
        # An error leaves the question where it was.
        chat.add_message("user", "Hello")
        with pytest.raises(ValidationError):
            chat.complete(temperature=9)
        assert [turn.role for turn in chat.get_history()] == ["system", "user"]
    assert client.health().is_healthy


def test_a_batch(client: IlluminatorClient) -> None:
    batch = BatchClient(client=client)
    prompts: list[Union[str, BatchPrompt]] = [
        "a",
        {"prompt": "b", "max_tokens": 1},
        "c" * 5000,
        "d",
    ]
    job = batch.submit_job(prompts, name="four", max_tokens=2, temperature=0.7)
    assert job.total_prompts == 4
    assert job.wait(timeout=30, poll_interval=0.05) is job
    assert job.is_complete()
    assert (job.status, job.progress, job.name) == ("completed", 100, "four")
    assert (job.completed_prompts, job.failed_prompts) == (3, 1)
    assert job.finished_at is not None
    results = job.get_results()
    assert [result.index for result in results] == [0, 1, 2, 3]
    assert [result.generated_text for result in results] == ["one two", "one", "", "one two"]
    assert [result.is_failed for result in results] == [False, False, True, False]
    assert results[2].error is not None
    assert "2048" in results[2].error
    assert batch.get_job(job.id).info.id == job.id
    assert job.id in [one.id for one in batch.list_jobs(limit=5)]
    with pytest.raises(ConflictError):
        job.cancel()


def test_results_come_in_pages(client: IlluminatorClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("illuminator._job.PAGE", 4)
    for size in (7, 8):
        job = BatchClient(client=client).submit_job(["x"] * size, max_tokens=1)
        job.wait(timeout=30, poll_interval=0.05)
        assert [result.index for result in job.get_results()] == list(range(size))


async def test_everything_async(url: str) -> None:
    async with AsyncIlluminatorClient(base_url=url) as client:
        assert (await client.generate("Hello")).generated_text == "one two three"
        async with client.generate_stream("Hello") as stream:
            assert [one.text async for one in stream] == ["one", " two", " three"]
        messages = [{"role": "user", "content": "Hello"}]
        assert (await client.chat(messages)).message.content == "one two three"
        assert await client.chat_stream(messages).read() == "one two three"
        assert (await client.health()).is_healthy
        assert (await client.info()).parameters == "135M"
        (card,) = await client.list_models()
        assert (await client.model_stats(card.id)).model_id == card.id
        tokens = (await client.tokenize("Hi")).tokens
        assert (await client.detokenize(tokens)).text == "Hi"
        chat = AsyncChatClient(client=client)
        chat.add_message("user", "Hello")
        assert (await chat.complete()).message.content == "one two three"
        chat.add_message("user", "More")
        assert await chat.stream().read() == "one two three"
        assert [turn.role for turn in chat.get_history()] == ["user", "assistant"] * 2
        async with AsyncBatchClient(client=client) as batch:
            job = await batch.submit_job(["a", "b"], max_tokens=1)
            await job.wait(timeout=30, poll_interval=0.05)
            assert [one.generated_text for one in await job.get_results()] == ["one", "one"]
            assert (await batch.get_job(job.id)).status == "completed"
            assert job.id in [one.id for one in await batch.list_jobs()]
            with pytest.raises(ConflictError):
                await job.cancel()


def busy(client: IlluminatorClient) -> int:
    """Requests whose answers are under way, as the server counts them."""
    text = client._transport._http.get(f"{client.config.base_url}/metrics").text
    line = next(line for line in text.splitlines() if line.startswith("illuminator_answers_under"))
    return int(float(line.split()[-1]))


def waits_for(client: IlluminatorClient, count: int) -> bool:
    end = time.monotonic() + 10
    while busy(client) != count and time.monotonic() < end:
        time.sleep(0.02)
    return busy(client) == count


def test_leaving_a_stream_ends_the_work_at_the_server(slow_url: str) -> None:
    with IlluminatorClient(base_url=slow_url) as client:
        with client.generate_stream("Hello") as stream:
            assert next(stream).text == "one"
            assert busy(client) == 1
        assert waits_for(client, 0)


async def test_cancelling_ends_the_work_at_the_server(slow_url: str) -> None:
    async with AsyncIlluminatorClient(base_url=slow_url) as client:
        with IlluminatorClient(base_url=slow_url) as watcher:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.generate, "Hello")
                assert await anyio.to_thread.run_sync(waits_for, watcher, 1)
                tasks.cancel_scope.cancel()
            assert await anyio.to_thread.run_sync(waits_for, watcher, 0)


def test_a_job_may_be_cancelled(slow_url: str) -> None:
    with BatchClient(base_url=slow_url) as batch:
        job = batch.submit_job(["x"] * 50)
        assert not job.is_complete()
        with pytest.raises(APITimeoutError, match="is still"):
            job.wait(timeout=0.1, poll_interval=0.2)
        assert job.cancel().status == "cancelled"
        assert job.is_complete()
        assert len(job.get_results()) < 50


def test_keys_and_limits(keyed: tuple[str, str]) -> None:
    url, key = keyed
    with IlluminatorClient(base_url=url) as nobody:
        assert nobody.health().is_healthy
        with pytest.raises(AuthenticationError) as refused:
            nobody.generate("Hello")
        assert refused.value.status_code == 401
    with IlluminatorClient(key, url, max_retries=0) as client:
        response = client.generate("Hello")
        assert (response.rate_limits.limit, response.rate_limits.remaining) == (2, 1)
        client.generate("Hello")
        with pytest.raises(RateLimitError) as limited:
            client.generate("Hello")
        assert 1 <= limited.value.retry_after <= 61
        assert limited.value.code == "rate_limit_exceeded"


def test_a_server_that_dies_in_the_middle_is_an_error() -> None:
    with fake_server("", "5") as url:
        client = IlluminatorClient(base_url=url, max_retries=0, timeout=Timeout(read=20))
        stream = client.generate_stream("Hello")
        assert next(stream).text == "one"
    with pytest.raises(APIConnectionError):
        list(stream)
    with pytest.raises(APIConnectionError, match="Cannot connect"):
        client.generate("Hello")
