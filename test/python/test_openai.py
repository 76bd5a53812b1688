"""OpenAI's own Python client, unchanged, against /v1."""

import asyncio
import json

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

HELLO = [{"role": "user", "content": "Hello"}]
MODEL = "tiny-1"


@pytest.fixture
def client(url: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def test_chat(client: OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, n=2, logprobs=True, top_logprobs=2)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[0].message.content == "one two three"
    assert [choice.finish_reason for choice in answer.choices] == ["stop", "stop"]
    assert answer.usage is not None and answer.usage.completion_tokens == 6
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None and logprobs.content is not None
    assert [token.token for token in logprobs.content] == ["one", " two", " three"]
    assert all(len(token.top_logprobs) == 2 for token in logprobs.content)


def test_stream(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(texts) == "one two three"
    assert chunks[-1].choices == [] and chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_async_stream_left_early(url: str) -> None:
    async def run() -> str:
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
            stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    await stream.close()
                    return chunk.choices[0].delta.content
        return ""

    assert asyncio.run(run()) == "one"


def test_completions(client: OpenAI) -> None:
    answer = client.completions.create(model=MODEL, prompt=["a", "b"], max_tokens=2)
    assert [(choice.index, choice.text) for choice in answer.choices] == [(0, "one two"), (1, "one two")]


def test_models(client: OpenAI) -> None:
    (model,) = client.models.list().data
    assert client.models.retrieve(model.id).id == model.id


def test_errors(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model=MODEL, messages=HELLO, temperature=9)
    assert bad.value.param == "temperature" and bad.value.code == "invalid_parameter"
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-none", messages=HELLO)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as unsupported:
        client.chat.completions.create(model=MODEL, messages=HELLO, response_format={"type": "json_object"})
    assert unsupported.value.param == "response_format"


def test_batch(client: OpenAI) -> None:
    def line(name: str, **more: object) -> str:
        body = {"model": MODEL, "messages": HELLO, **more}
        return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body})

    content = "\n".join([line("a"), line("b", temperature=9), line("c", max_tokens=1)])
    file = client.files.create(file=("in.jsonl", content.encode()), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    while batch.status in ("validating", "in_progress"):
        batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed" and batch.request_counts is not None
    assert (batch.request_counts.completed, batch.request_counts.failed) == (2, 1)
    assert batch.output_file_id is not None and batch.error_file_id is not None
    answers = [json.loads(text) for text in client.files.content(batch.output_file_id).text.splitlines()]
    texts = [answer["response"]["body"]["choices"][0]["message"]["content"] for answer in answers]
    assert [(answer["custom_id"], text) for answer, text in zip(answers, texts, strict=True)] == [
        ("a", "one two three"),
        ("c", "one"),
    ]
    (failure,) = client.files.content(batch.error_file_id).text.splitlines()
    assert json.loads(failure)["response"]["status_code"] == 400
    assert batch.id in [one.id for one in client.batches.list(limit=5).data]
    assert client.files.delete(file.id).deleted
