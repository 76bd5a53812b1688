"""The client that waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Optional, Union

import httpx
from typing_extensions import Self, Unpack

from illuminator import _calls
from illuminator._calls import Message
from illuminator._closing import Closing
from illuminator._sync import SyncTransport
from illuminator.config import Config, Timeout
from illuminator.params import ChatParams, GenerateParams
from illuminator.streams import Stream
from illuminator.types import (
    ChatChunk,
    ChatResponse,
    DetokenizeResponse,
    GenerateResponse,
    HealthResponse,
    ModelCard,
    ModelInfo,
    ModelStats,
    StreamToken,
    TokenizeResponse,
)


def config_of(
    config: Optional[Config],
    *,
    api_key: Optional[str],
    base_url: Optional[str],
    timeout: Union[float, Timeout, None],
    max_retries: Optional[int],
    retry_delay: Optional[float],
    max_retry_wait: Optional[float],
    headers: Optional[Mapping[str, str]],
) -> Config:
    """A configuration, and what is given beside it."""
    if config is None:
        # Only once it is known what was given: the environment is asked for the rest.
        config = Config(api_key=api_key, base_url=base_url)
    return config.replace(
        api_key=api_key,
        base_url=base_url,
        timeout=timeout,
        max_retries=max_retries,
        retry_delay=retry_delay,
        max_retry_wait=max_retry_wait,
        headers=headers,
    )


class IlluminatorClient(Closing):
    """Calls the API and waits for what it says. Threads may share one.

    Args:
        api_key: Absent: ``ILLUMINATOR_API_KEY``.
        base_url: Absent: ``ILLUMINATOR_BASE_URL`` or ``ILLUMINATOR_URL``, else the public API.
        timeout: Seconds for a whole answer, or a :class:`Timeout`.
        max_retries: Attempts after the first.
        retry_delay: Seconds before the first retry, where the server names none.
        max_retry_wait: Longest wait before a retry.
        headers: Sent with every request.
        config: All of that at once; what is given beside it wins.
        http_client: Instead of a client of its own, for proxies, certificates or tests. It is not
            closed with this one.

    Raises:
        ConfigurationError: A setting cannot be.
    """

    def __init__(
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        *,
        timeout: Union[float, Timeout, None] = None,
        max_retries: Optional[int] = None,
        retry_delay: Optional[float] = None,
        max_retry_wait: Optional[float] = None,
        headers: Optional[Mapping[str, str]] = None,
        config: Optional[Config] = None,
        http_client: Optional[httpx.Client] = None,
    ) -> None:
        settings = config_of(
            config,
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            retry_delay=retry_delay,
            max_retry_wait=max_retry_wait,
            headers=headers,
        )
        self._transport = SyncTransport(settings, http_client)

    @property
    def config(self) -> Config:
        """The settings in force."""
        return self._transport.config

    def with_options(
        self,
        *,
        timeout: Union[float, Timeout, None] = None,
        max_retries: Optional[int] = None,
        retry_delay: Optional[float] = None,
        max_retry_wait: Optional[float] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Self:
        """A client with other settings over the same connections."""
        other = type(self).__new__(type(self))
        other._transport = self._transport.share(
            self.config.replace(
                timeout=timeout,
                max_retries=max_retries,
                retry_delay=retry_delay,
                max_retry_wait=max_retry_wait,
                headers=headers,
            )
        )
        return other

    def generate(self, prompt: str, **params: Unpack[GenerateParams]) -> GenerateResponse:
        """Continues a text.

        Args:
            prompt: The text.
            **params: ``max_tokens``, ``temperature``, ``top_p``, ``top_k``,
                ``repetition_penalty``, ``stop_sequences``, ``return_full_text`` and the rest of
                :class:`~illuminator.params.GenerateParams`.

        Raises:
            IlluminatorError: See :mod:`illuminator.exceptions`.
        """
        return self._transport.send(_calls.generate(prompt, params))

    def generate_stream(self, prompt: str, **params: Unpack[GenerateParams]) -> Stream[StreamToken]:
        """Continues a text, piece by piece. Arguments as of :meth:`generate`."""
        return self._transport.stream(_calls.generate_stream(prompt, params))

    def chat(self, messages: Iterable[Message], **params: Unpack[ChatParams]) -> ChatResponse:
        """Answers a conversation. :class:`~illuminator.ChatClient` keeps one.

        Args:
            messages: Its turns: ``ChatMessage`` or ``{"role": ..., "content": ...}``.
            **params: ``max_tokens``, ``temperature``, ``stop``, ``n``, ``logprobs`` and the rest of
                :class:`~illuminator.params.ChatParams`.

        Raises:
            IlluminatorError: See :mod:`illuminator.exceptions`.
        """
        return self._transport.send(_calls.chat(messages, params))

    def chat_stream(
        self, messages: Iterable[Message], **params: Unpack[ChatParams]
    ) -> Stream[ChatChunk]:
        """Answers a conversation, piece by piece. Arguments as of :meth:`chat`."""
        return self._transport.stream(_calls.chat_stream(messages, params))

    def tokenize(self, text: str, *, model: Optional[str] = None) -> TokenizeResponse:
        """The token ids of a text."""
        return self._transport.send(_calls.tokenize(text, model))

    def detokenize(
        self, tokens: Sequence[int], *, model: Optional[str] = None
    ) -> DetokenizeResponse:
        """The text of token ids."""
        return self._transport.send(_calls.detokenize(tokens, model))

    def health(self) -> HealthResponse:
        """How the server is. One that loads, drains or is unhealthy is an answer, and no error."""
        return self._transport.send(_calls.health())

    def info(self) -> ModelInfo:
        """The model that is served."""
        return self._transport.send(_calls.info())

    def list_models(self) -> list[ModelCard]:
        """The models that can be asked for."""
        return self._transport.send(_calls.models()).models

    def model_stats(self, model_id: str) -> ModelStats:
        """What a model was used for, and how it does."""
        return self._transport.send(_calls.model_stats(model_id))

    def close(self) -> None:
        """Closes the connections. Idempotent."""
        self._transport.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config!r})"


__all__ = ["IlluminatorClient", "config_of"]
