"""A conversation that remembers itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from typing_extensions import Unpack

from illuminator import _calls
from illuminator._owner import AsyncOver, ClientOptions, Over, refuse_both
from illuminator.async_client import AsyncIlluminatorClient
from illuminator.async_streams import AsyncStream
from illuminator.client import IlluminatorClient
from illuminator.params import ChatParams
from illuminator.streams import Stream
from illuminator.types import ChatChunk, ChatMessage, ChatResponse


class History:
    """Turns of a conversation."""

    def __init__(self, system_message: Optional[str]) -> None:
        self._system_message = system_message
        self._messages: list[ChatMessage] = []
        self.clear()

    def add_message(self, role: str, content: str, name: Optional[str] = None) -> None:
        """Adds a turn: of the ``user``, the ``assistant`` or the ``system``."""
        self._messages.append(ChatMessage(role=role, content=content, name=name))

    def get_history(self) -> list[ChatMessage]:
        """All turns so far, as a list of the caller's own."""
        return list(self._messages)

    def set_history(self, messages: Iterable[ChatMessage]) -> None:
        """Goes on from other turns, as :meth:`get_history` gave them."""
        self._messages = list(messages)

    def clear(self) -> None:
        """Starts anew, with nothing but the system message."""
        self._messages = []
        if self._system_message is not None:
            self.add_message("system", self._system_message)

    def _said(self, text: str) -> None:
        self.add_message("assistant", text)

    def _with_model(self, params: ChatParams, model: Optional[str]) -> ChatParams:
        if model is None or params.get("model") is not None:
            return params
        return {**params, "model": model}


class ChatClient(Over, History):
    """A conversation: turns are added, answered, and remembered.

    Args:
        api_key: Absent: ``ILLUMINATOR_API_KEY``.
        base_url: Absent: ``ILLUMINATOR_BASE_URL`` or ``ILLUMINATOR_URL``, else the public API.
        system_message: First of all turns.
        model: Unless a turn names another.
        client: A client to share; it is not closed with this one.
        **options: As of :class:`~illuminator.IlluminatorClient`.
    """

    def __init__(
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        *,
        system_message: Optional[str] = None,
        model: Optional[str] = None,
        client: Optional[IlluminatorClient] = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        refuse_both(client, api_key, base_url, options)
        made = None if client else IlluminatorClient(api_key, base_url, **options)
        Over.__init__(self, client, made)
        History.__init__(self, system_message)
        self.model = model

    def complete(self, **params: Unpack[ChatParams]) -> ChatResponse:
        """Answers what was said last. The answer joins the history; after an error nothing does.

        Raises:
            IlluminatorError: See :mod:`illuminator.exceptions`.
        """
        call = _calls.chat(self._messages, self._with_model(params, self.model))
        response = self._client._transport.send(call)
        self._messages.append(response.message)
        return response

    def stream(self, **params: Unpack[ChatParams]) -> Stream[ChatChunk]:
        """Answers what was said last, piece by piece.

        At the end, or where the stream is closed early, what was said joins the history; after an
        error nothing does.
        """
        call = _calls.chat_stream(self._messages, self._with_model(params, self.model))
        return self._client._transport.stream(call, self._said)


class AsyncChatClient(AsyncOver, History):
    """A conversation: turns are added, answered, and remembered.

    Arguments as of :class:`ChatClient`, with an :class:`~illuminator.AsyncIlluminatorClient`.
    """

    def __init__(
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        *,
        system_message: Optional[str] = None,
        model: Optional[str] = None,
        client: Optional[AsyncIlluminatorClient] = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        refuse_both(client, api_key, base_url, options)
        made = None if client else AsyncIlluminatorClient(api_key, base_url, **options)
        AsyncOver.__init__(self, client, made)
        History.__init__(self, system_message)
        self.model = model

    async def complete(self, **params: Unpack[ChatParams]) -> ChatResponse:
        """As :meth:`ChatClient.complete`."""
        call = _calls.chat(self._messages, self._with_model(params, self.model))
        response = await self._client._transport.send(call)
        self._messages.append(response.message)
        return response

    def stream(self, **params: Unpack[ChatParams]) -> AsyncStream[ChatChunk]:
        """As :meth:`ChatClient.stream`."""
        call = _calls.chat_stream(self._messages, self._with_model(params, self.model))
        return self._client._transport.stream(call, self._said)


__all__ = ["AsyncChatClient", "ChatClient"]
