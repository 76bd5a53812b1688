"""Keyword arguments of the methods, for type checkers and for the check at run time.

``None`` and absence are the same: the server's default.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from typing_extensions import Literal, TypedDict

from illuminator.config import Timeout


class RequestOptions(TypedDict, total=False):
    """How a single request is sent."""

    timeout: Union[float, Timeout, None]
    """Instead of the client's."""
    extra_headers: Optional[Mapping[str, str]]
    """Besides the client's, or instead of them; ``x-request-id``, for one."""
    extra_body: Optional[Mapping[str, Any]]
    """Fields of the body that this package does not know."""


class SamplingParams(TypedDict, total=False):
    """How tokens are chosen, and when to stop."""

    model: Optional[str]
    """A served model; absent: the one that is loaded."""
    max_tokens: Optional[int]
    temperature: Optional[float]
    """From 0 (greedy) to 2."""
    top_p: Optional[float]
    top_k: Optional[int]
    min_p: Optional[float]
    typical_p: Optional[float]
    repetition_penalty: Optional[float]
    presence_penalty: Optional[float]
    frequency_penalty: Optional[float]
    logit_bias: Optional[Mapping[Union[int, str], float]]
    """By token id: -100 bans one, 100 forces it."""
    seed: Optional[int]
    stop_token_ids: Optional[Sequence[int]]
    ignore_eos: Optional[bool]
    priority: Optional[Literal["interactive", "batch"]]
    cache_salt: Optional[str]


class TextParams(SamplingParams, total=False):
    """Of a text that is continued."""

    stop_sequences: Optional[Sequence[str]]
    """End the answer, and are no part of it."""
    return_full_text: Optional[bool]
    """Prompt and continuation."""


class GenerateParams(TextParams, RequestOptions, total=False):
    """Keyword arguments of ``generate`` and ``generate_stream``."""


class ChatFields(SamplingParams, total=False):
    """Of a conversation that is answered."""

    max_completion_tokens: Optional[int]
    stop: Union[str, Sequence[str], None]
    n: Optional[int]
    logprobs: Optional[bool]
    top_logprobs: Optional[int]


class ChatParams(ChatFields, RequestOptions, total=False):
    """Keyword arguments of ``chat`` and ``chat_stream``."""


class BatchParams(TextParams, RequestOptions, total=False):
    """Keyword arguments of ``submit_job``: for the prompts that do not set them."""


class BatchPrompt(TextParams, total=False):
    """A prompt of a batch with parameters of its own."""

    prompt: str


class MessageParam(TypedDict, total=False):
    """A turn of a conversation."""

    role: str
    content: Union[str, Sequence[Mapping[str, Any]], None]
    name: Optional[str]


_STREAMED = frozenset({"generate_stream", "chat_stream"})

_OPTIONS = frozenset(RequestOptions.__annotations__)


def checked(
    method: str, known: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keyword arguments apart: the fields of a body, and the options of a request.

    Raises:
        TypeError: One is not known; the server would refuse it later, and in other words.
    """
    names = {*known, *_OPTIONS}
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            if name == "stream" and f"{method}_stream" in _STREAMED:
                hint = f" Call {method}_stream()."
            raise TypeError(f"{method}() got an unexpected keyword argument {name!r}.{hint}")
    options = {name: value for name, value in given.items() if name in _OPTIONS}
    fields = {name: value for name, value in given.items() if name in known and value is not None}
    return fields, options
