"""What each method asks the server: one declaration for the sync and the async client."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Optional, TypeVar, Union
from urllib.parse import quote

from pydantic import BaseModel

from illuminator.config import Timeout
from illuminator.params import (
    BatchPrompt,
    ChatFields,
    MessageParam,
    TextParams,
    checked,
)
from illuminator.types import (
    BatchJobInfo,
    BatchJobList,
    BatchResultPage,
    ChatChunk,
    ChatMessage,
    ChatResponse,
    DetokenizeResponse,
    GenerateResponse,
    HealthResponse,
    ModelInfo,
    ModelList,
    ModelStats,
    StreamToken,
    TokenizeResponse,
)

Model = TypeVar("Model", bound=BaseModel)

Message = Union[ChatMessage, MessageParam, Mapping[str, Any]]
Prompt = Union[str, BatchPrompt, Mapping[str, Any]]


@dataclass(frozen=True)
class Call(Generic[Model]):
    """A request, and the shape of what answers it (of one event, where it streams)."""

    method: str
    path: str
    shape: type[Model]
    body: Optional[Mapping[str, Any]] = None
    query: Mapping[str, Union[int, str]] = field(default_factory=dict)
    #: Sending it twice does no harm.
    repeatable: bool = True
    #: Statuses that are answers and no errors.
    accepted: frozenset[int] = frozenset()
    timeout: Union[float, Timeout, None] = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> Optional[bytes]:
        """The body as bytes.

        Raises:
            ValueError: It holds a number that JSON has no word for.
        """
        if self.body is None:
            return None
        return json.dumps(self.body, allow_nan=False, separators=(",", ":")).encode()


def _call(
    method: str,
    path: str,
    shape: type[Model],
    body: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    repeatable: bool = True,
) -> Call[Model]:
    return Call(
        method,
        path,
        shape,
        {**body, **(options.get("extra_body") or {})},
        repeatable=repeatable,
        timeout=options.get("timeout"),
        headers=options.get("extra_headers") or {},
    )


def generate(prompt: str, given: Mapping[str, Any]) -> Call[GenerateResponse]:
    fields, options = checked("generate", TextParams.__annotations__, given)
    return _call("POST", "/generate", GenerateResponse, {"prompt": prompt, **fields}, options)


def generate_stream(prompt: str, given: Mapping[str, Any]) -> Call[StreamToken]:
    fields, options = checked("generate_stream", TextParams.__annotations__, given)
    body = {"prompt": prompt, **fields, "stream": True}
    return _call("POST", "/generate", StreamToken, body, options)


def chat(messages: Iterable[Message], given: Mapping[str, Any]) -> Call[ChatResponse]:
    fields, options = checked("chat", ChatFields.__annotations__, given)
    body = {"messages": wire_messages(messages), **fields}
    return _call("POST", "/chat/completions", ChatResponse, body, options)


def chat_stream(messages: Iterable[Message], given: Mapping[str, Any]) -> Call[ChatChunk]:
    fields, options = checked("chat_stream", ChatFields.__annotations__, given)
    body = {
        "messages": wire_messages(messages),
        **fields,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return _call("POST", "/chat/completions", ChatChunk, body, options)


def wire_messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Messages as the API takes them.

    Raises:
        TypeError: One is something else.
    """
    if isinstance(messages, (str, bytes, Mapping)):
        raise TypeError(
            "messages is one thing: expected a list of them, "
            'as in [{"role": "user", "content": "Hello"}].'
        )
    wire: list[dict[str, Any]] = []
    for message in messages:
        if isinstance(message, ChatMessage):
            wire.append(
                {
                    "role": message.role,
                    "content": message.content,
                    **({"name": message.name} if message.name is not None else {}),
                }
            )
        elif isinstance(message, Mapping):
            wire.append({name: value for name, value in message.items() if value is not None})
        else:
            raise TypeError(
                f"A message is a {type(message).__name__}: expected a ChatMessage or a dict."
            )
    return wire


def tokenize(text: str, model: Optional[str]) -> Call[TokenizeResponse]:
    return Call("POST", "/tokenize", TokenizeResponse, _present(text=text, model=model))


def detokenize(tokens: Sequence[int], model: Optional[str]) -> Call[DetokenizeResponse]:
    body = _present(tokens=list(tokens), model=model)
    return Call("POST", "/detokenize", DetokenizeResponse, body)


def _present(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {name: value for name, value in fields.items() if value is not None}


def health() -> Call[HealthResponse]:
    # While it loads or drains it says so with 503: that is the answer.
    return Call("GET", "/health", HealthResponse, accepted=frozenset({503}))


def info() -> Call[ModelInfo]:
    return Call("GET", "/info", ModelInfo)


def models() -> Call[ModelList]:
    return Call("GET", "/models", ModelList)


def model_stats(model_id: str) -> Call[ModelStats]:
    # Ids hold slashes, and the server wants them as they are.
    return Call("GET", f"/models/{quote(model_id, safe='/')}/stats", ModelStats)


def submit_job(
    prompts: Sequence[Prompt], name: Optional[str], given: Mapping[str, Any]
) -> Call[BatchJobInfo]:
    fields, options = checked("submit_job", TextParams.__annotations__, given)
    if isinstance(prompts, (str, bytes, Mapping)):
        raise TypeError('prompts is one thing: expected a list of them, as in ["Hello"].')
    body: dict[str, Any] = {
        "prompts": [{"prompt": one} if isinstance(one, str) else _present(**one) for one in prompts]
    }
    if name is not None:
        body["name"] = name
    if fields:
        body["default_params"] = fields
    return _call("POST", "/batch/jobs", BatchJobInfo, body, options, repeatable=False)


def get_job(job_id: str) -> Call[BatchJobInfo]:
    return Call("GET", _job(job_id), BatchJobInfo)


def list_jobs(limit: Optional[int], after: Optional[str]) -> Call[BatchJobList]:
    return Call("GET", "/batch/jobs", BatchJobList, query=_present(limit=limit, after=after))


def cancel_job(job_id: str) -> Call[BatchJobInfo]:
    # Not again: after a lost answer, the second would say that the job is over already.
    return Call("DELETE", _job(job_id), BatchJobInfo, repeatable=False)


def job_results(job_id: str, offset: int, limit: int) -> Call[BatchResultPage]:
    query = {"offset": offset, "limit": limit}
    return Call("GET", f"{_job(job_id)}/results", BatchResultPage, query=query)


def _job(job_id: str) -> str:
    if not job_id:
        raise ValueError("The id of a batch job is empty.")
    return f"/batch/jobs/{quote(job_id, safe='')}"
